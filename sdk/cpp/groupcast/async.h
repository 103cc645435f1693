#ifndef SDK_CPP_GROUPCAST_ASYNC_H_
#define SDK_CPP_GROUPCAST_ASYNC_H_

#include <coroutine>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "groupcast/client.h"
#include "groupcast/types.h"

// The client's calls as futures and as C++20 awaitables, for programs that prefer them to
// callbacks:
//
//   absl::StatusOr<groupcast::Position> sent = groupcast::SendFuture(*client, "news",
//   "hello").get();
//
//   absl::StatusOr<groupcast::Position> sent =
//       co_await groupcast::SendAsync(*client, "news", "hello");
//
// The results are those of the callbacks in client.h, and the errors that the calls return at once.
// Arguments are copied, so they may be temporary.
//
// Futures. Each future gets its value, and never broken_promise. If the client is closed or
// destroyed first, the value is the error that client.h names: kCancelled, or kUnknown for a send
// in doubt. get() blocks the thread until then. On the thread of the client, in a callback or in a
// coroutine after co_await, it would wait for itself for ever.
//
// Awaitables. The call is made by co_await. If it returns an error, the coroutine goes on at once.
// Otherwise the coroutine is resumed once, on the thread that runs the client's callbacks: what is
// said there of callbacks holds for it until its next suspension. It must not throw and must not
// destroy the client, and while it runs, the client does nothing else. That holds for a client that
// is closed or destroyed too: the coroutine is resumed with the error before Close() or the
// destructor returns. A coroutine must not be destroyed while it waits here.
//
// Any coroutine type that can co_await will do. One awaitable is for one co_await.
//
// GCC 12 destroys an aggregate twice that is written in braces within a co_await expression. Give
// options and callbacks a name first:
//
//   const groupcast::MembersOptions options = {.after = "c4f1e2a90b7d3356"};
//   auto members = co_await groupcast::MembersAsync(*client, "news", options);
namespace groupcast {

namespace async_internal {

// Calls a function with a result once: with the first one that comes, or with kCancelled when the
// last reference goes away without any.
template <typename T>
class Once {
 public:
  explicit Once(std::function<void(absl::StatusOr<T>)> function) : function_(std::move(function)) {}
  ~Once() { Call(absl::CancelledError("the client is gone")); }

  Once(const Once&) = delete;
  Once& operator=(const Once&) = delete;

  void Call(absl::StatusOr<T> result) {
    if (auto function = std::exchange(function_, nullptr)) function(std::move(result));
  }
  // The function is not called any more.
  void Disarm() { function_ = nullptr; }

 private:
  std::function<void(absl::StatusOr<T>)> function_;
};

template <typename T>
using Result = std::shared_ptr<Once<T>>;

// Makes a call of the client that ends with `result`. An error: nothing was begun.
template <typename T>
using Call = std::function<absl::Status(Result<T>)>;

// The callback of a call that calls back once.
template <typename T>
std::function<void(const absl::StatusOr<T>&)> Callback(Result<T> result) {
  return [result = std::move(result)](const absl::StatusOr<T>& value) { result->Call(value); };
}

template <typename T>
std::future<absl::StatusOr<T>> ToFuture(const Call<T>& call) {
  auto promise = std::make_shared<std::promise<absl::StatusOr<T>>>();
  std::future<absl::StatusOr<T>> future = promise->get_future();
  const auto result = std::make_shared<Once<T>>(
      [promise](absl::StatusOr<T> value) { promise->set_value(std::move(value)); });
  if (absl::Status status = call(result); !status.ok()) result->Call(std::move(status));
  return future;
}

}  // namespace async_internal

// What co_await takes; see the top of this file.
template <typename T>
class [[nodiscard]] Awaitable {
 public:
  explicit Awaitable(async_internal::Call<T> call) : call_(std::move(call)) {}

  bool await_ready() const { return false; }

  bool await_suspend(std::coroutine_handle<> coroutine) {
    const auto result =
        std::make_shared<async_internal::Once<T>>([this, coroutine](absl::StatusOr<T> value) {
          value_.emplace(std::move(value));
          coroutine.resume();
        });
    // If the call succeeds, the coroutine may already run on another thread, and end, before the
    // call returns. So the call must not be in its frame, and nothing in the frame is touched
    // after.
    const async_internal::Call<T> call = std::move(call_);
    absl::Status status = call(result);
    if (status.ok()) return true;
    result->Disarm();
    value_.emplace(std::move(status));
    return false;
  }

  absl::StatusOr<T> await_resume() { return *std::move(value_); }

 private:
  async_internal::Call<T> call_;
  std::optional<absl::StatusOr<T>> value_;
};

namespace async_internal {

inline Call<Position> SendCall(Client& client, absl::string_view group_id, absl::string_view text,
                               const SendOptions& options) {
  return [&client, group = std::string(group_id), text = std::string(text),
          options](Result<Position> result) {
    return client.Send(group, text, options, Callback(std::move(result)));
  };
}

inline Call<Position> SendJsonCall(Client& client, absl::string_view group_id,
                                   absl::string_view json, const SendOptions& options) {
  return [&client, group = std::string(group_id), json = std::string(json),
          options](Result<Position> result) {
    return client.SendJson(group, json, options, Callback(std::move(result)));
  };
}

inline Call<GroupHistory> HistoryCall(Client& client, absl::string_view group_id,
                                      const HistoryOptions& options) {
  return [&client, group = std::string(group_id), options](Result<GroupHistory> result) {
    return client.History(group, options, Callback(std::move(result)));
  };
}

inline Call<GroupMembers> MembersCall(Client& client, absl::string_view group_id,
                                      const MembersOptions& options) {
  return [&client, group = std::string(group_id), options](Result<GroupMembers> result) {
    return client.Members(group, options, Callback(std::move(result)));
  };
}

inline Call<Joined> JoinCall(Client& client, absl::string_view group_id, const JoinOptions& options,
                             GroupCallbacks callbacks) {
  return [&client, group = std::string(group_id), options,
          callbacks = std::move(callbacks)](Result<Joined> result) {
    GroupCallbacks all = callbacks;
    // The client tries a transient refusal again. What it does not try again ends the membership.
    all.on_join = [result, on_join = callbacks.on_join](const absl::StatusOr<Joined>& joined) {
      if (on_join) on_join(joined);
      if (joined.ok()) result->Call(joined);
    };
    all.on_end = [result, on_end = callbacks.on_end](const absl::Status& why) {
      if (on_end) on_end(why);
      result->Call(why);
    };
    return client.Join(group, options, std::move(all));
  };
}

}  // namespace async_internal

// As Client::Send and Client::SendJson.
inline std::future<absl::StatusOr<Position>> SendFuture(Client& client, absl::string_view group_id,
                                                        absl::string_view text,
                                                        const SendOptions& options = {}) {
  return async_internal::ToFuture(async_internal::SendCall(client, group_id, text, options));
}
inline Awaitable<Position> SendAsync(Client& client, absl::string_view group_id,
                                     absl::string_view text, const SendOptions& options = {}) {
  return Awaitable<Position>(async_internal::SendCall(client, group_id, text, options));
}
inline std::future<absl::StatusOr<Position>> SendJsonFuture(Client& client,
                                                            absl::string_view group_id,
                                                            absl::string_view json,
                                                            const SendOptions& options = {}) {
  return async_internal::ToFuture(async_internal::SendJsonCall(client, group_id, json, options));
}
inline Awaitable<Position> SendJsonAsync(Client& client, absl::string_view group_id,
                                         absl::string_view json, const SendOptions& options = {}) {
  return Awaitable<Position>(async_internal::SendJsonCall(client, group_id, json, options));
}

// As Client::Join. The result comes when the membership has begun, or with the reason why it never
// will: a transient refusal is waited out. `callbacks` hear all of it too.
inline std::future<absl::StatusOr<Joined>> JoinFuture(Client& client, absl::string_view group_id,
                                                      const JoinOptions& options,
                                                      GroupCallbacks callbacks) {
  return async_internal::ToFuture(
      async_internal::JoinCall(client, group_id, options, std::move(callbacks)));
}
inline Awaitable<Joined> JoinAsync(Client& client, absl::string_view group_id,
                                   const JoinOptions& options, GroupCallbacks callbacks) {
  return Awaitable<Joined>(
      async_internal::JoinCall(client, group_id, options, std::move(callbacks)));
}

// As Client::History.
inline std::future<absl::StatusOr<GroupHistory>> HistoryFuture(Client& client,
                                                               absl::string_view group_id,
                                                               const HistoryOptions& options = {}) {
  return async_internal::ToFuture(async_internal::HistoryCall(client, group_id, options));
}
inline Awaitable<GroupHistory> HistoryAsync(Client& client, absl::string_view group_id,
                                            const HistoryOptions& options) {
  return Awaitable<GroupHistory>(async_internal::HistoryCall(client, group_id, options));
}
inline Awaitable<GroupHistory> HistoryAsync(Client& client, absl::string_view group_id) {
  return HistoryAsync(client, group_id, HistoryOptions());
}

// As Client::Members.
inline std::future<absl::StatusOr<GroupMembers>> MembersFuture(Client& client,
                                                               absl::string_view group_id,
                                                               const MembersOptions& options = {}) {
  return async_internal::ToFuture(async_internal::MembersCall(client, group_id, options));
}
inline Awaitable<GroupMembers> MembersAsync(Client& client, absl::string_view group_id,
                                            const MembersOptions& options) {
  return Awaitable<GroupMembers>(async_internal::MembersCall(client, group_id, options));
}
inline Awaitable<GroupMembers> MembersAsync(Client& client, absl::string_view group_id) {
  return MembersAsync(client, group_id, MembersOptions());
}

}  // namespace groupcast

#endif  // SDK_CPP_GROUPCAST_ASYNC_H_
