#ifndef SDK_CPP_GROUPCAST_RANDOM_H_
#define SDK_CPP_GROUPCAST_RANDOM_H_

#include <string>

namespace groupcast {

// `bytes` from the system's source of randomness, as hexadecimal digits. Requires a multiple of 4.
std::string RandomHex(int bytes);

}  // namespace groupcast

#endif  // SDK_CPP_GROUPCAST_RANDOM_H_
