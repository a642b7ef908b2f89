// listen_group.cc - the pool of ListenGroups; the last reference gives one back.
#include "stack/socket/listen_group.h"

namespace pollux {

void intrusive_ptr_release(ListenGroup* group) {
  if (group->references.fetch_sub(1) == 1) group->pool.destroy(*group);
}

ListenGroupRef ListenGroups::create(TcpSocket& socket, unsigned owner) {
  const std::lock_guard lock(mutex_);
  return groups_.create(*this, socket, owner);
}

void ListenGroups::destroy(ListenGroup& group) {
  const std::lock_guard lock(mutex_);
  groups_.destroy(&group);
}

}  // namespace pollux
