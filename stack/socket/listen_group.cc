// listen_group.cc - the pool of ListenGroups; the last reference gives one back.
#include "stack/socket/listen_group.h"

namespace pollux {

ListenGroupRef::~ListenGroupRef() {
  if (!group_ || group_->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  group_->pool.destroy(*group_);
}

ListenGroupRef ListenGroups::create(TcpSocket& socket, unsigned owner) {
  const std::lock_guard lock(mutex_);
  return ListenGroupRef(groups_.create(*this, socket, owner));
}

std::uint32_t ListenGroups::used() {
  const std::lock_guard lock(mutex_);
  return groups_.used();
}

void ListenGroups::destroy(ListenGroup& group) {
  const std::lock_guard lock(mutex_);
  groups_.destroy(&group);
}

}  // namespace pollux
