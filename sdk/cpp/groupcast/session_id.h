#ifndef SDK_CPP_GROUPCAST_SESSION_ID_H_
#define SDK_CPP_GROUPCAST_SESSION_ID_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "groupcast/url.h"

namespace groupcast {

// The session of a client that connects to `url`, which has it in its query afterwards. A session
// that the query has already is the client's. Otherwise it is `given`, or a random one if `given`
// is empty.
//
// kInvalidArgument: the query has more than one session, or another one than `given`; or the
// session is not valid.
absl::StatusOr<std::string> AdoptSession(absl::string_view given, Url* url);

}  // namespace groupcast

#endif  // SDK_CPP_GROUPCAST_SESSION_ID_H_
