#ifndef GROUPCAST_SERVICES_CONNECTIONS_DEADLINE_LIST_H_
#define GROUPCAST_SERVICES_CONNECTIONS_DEADLINE_LIST_H_

#include "absl/time/time.h"
#include "boost/intrusive/list.hpp"

namespace groupcast::service {

// An element of at most one DeadlineList. A destroyed node leaves its list.
class DeadlineNode {
 public:
  DeadlineNode() = default;
  DeadlineNode(const DeadlineNode&) = delete;
  DeadlineNode& operator=(const DeadlineNode&) = delete;

  // Leaves the list, if it is in one.
  void Unlink() { hook_.unlink(); }

 private:
  friend class DeadlineList;
  using Hook = boost::intrusive::list_member_hook<
      boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;
  Hook hook_;
  absl::Time since_;
};

// Nodes that wait for the same event, and for the same time. So the order of arrival is the order
// of their deadlines. To join, to leave and to find the next to expire take constant time, and no
// node needs a timer. The list does not own its nodes. It may be destroyed before them.
class DeadlineList {
 public:
  DeadlineList() = default;
  DeadlineList(const DeadlineList&) = delete;
  DeadlineList& operator=(const DeadlineList&) = delete;

  // Moves `node` from its present list, if any, to the end of this one. `since` must not be before
  // the `since` of any node in this list.
  void Append(DeadlineNode* node, absl::Time since) {
    node->Unlink();
    node->since_ = since;
    nodes_.push_back(*node);
  }

  // Returns the first node, if it has waited since `since` or longer. Null: there is none.
  DeadlineNode* FirstSince(absl::Time since) {
    return empty() || nodes_.front().since_ > since ? nullptr : &nodes_.front();
  }

  bool empty() const { return nodes_.empty(); }

 private:
  using Hook =
      boost::intrusive::member_hook<DeadlineNode, DeadlineNode::Hook, &DeadlineNode::hook_>;
  boost::intrusive::list<DeadlineNode, Hook, boost::intrusive::constant_time_size<false>> nodes_;
};

}  // namespace groupcast::service

#endif  // GROUPCAST_SERVICES_CONNECTIONS_DEADLINE_LIST_H_
