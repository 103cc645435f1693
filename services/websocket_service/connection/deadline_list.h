#ifndef GROUPCAST_SERVICES_WEBSOCKET_SERVICE_CONNECTION_DEADLINE_LIST_H_
#define GROUPCAST_SERVICES_WEBSOCKET_SERVICE_CONNECTION_DEADLINE_LIST_H_

#include "absl/time/time.h"

namespace groupcast::service {

// An element of at most one DeadlineList.
class DeadlineNode {
 public:
  DeadlineNode() = default;
  ~DeadlineNode() { Unlink(); }
  DeadlineNode(const DeadlineNode&) = delete;
  DeadlineNode& operator=(const DeadlineNode&) = delete;

  void Unlink() {
    if (next_ == nullptr) return;
    next_->previous_ = previous_;
    previous_->next_ = next_;
    next_ = previous_ = nullptr;
  }

 private:
  friend class DeadlineList;
  DeadlineNode* previous_ = nullptr;
  DeadlineNode* next_ = nullptr;
  absl::Time since_;
};

// Those that wait for one thing and all have the same time for it, so that the order of arrival is
// the order of their deadlines: joining, leaving and finding the next to expire take constant time,
// with no timer of its own for any. It does not own its nodes; a node that is destroyed leaves by
// itself.
class DeadlineList {
 public:
  DeadlineList() { end_.next_ = end_.previous_ = &end_; }
  // Nodes that are left must outlive nothing: they are unlinked.
  ~DeadlineList() {
    while (!empty()) end_.next_->Unlink();
    end_.next_ = end_.previous_ = nullptr;
  }

  // Puts `node` at the end, taking it from whatever list it is in.
  void Append(DeadlineNode* node, absl::Time since) {
    node->Unlink();
    node->since_ = since;
    node->previous_ = end_.previous_;
    node->next_ = &end_;
    end_.previous_->next_ = node;
    end_.previous_ = node;
  }

  // The first that is in the list since `since` or longer; null if there is none.
  DeadlineNode* FirstSince(absl::Time since) const {
    return empty() || end_.next_->since_ > since ? nullptr : end_.next_;
  }

  bool empty() const { return end_.next_ == &end_; }

 private:
  DeadlineNode end_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_WEBSOCKET_SERVICE_CONNECTION_DEADLINE_LIST_H_
