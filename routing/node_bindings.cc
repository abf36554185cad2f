#include "routing/node_bindings.h"

namespace usher::routing {

NodeBindings::NodeBindings(const Clock& clock, size_t most)
    : clock_(clock), cache_(clock, most, std::chrono::minutes(5)) {}

std::optional<NodeBindings::Known> NodeBindings::find(std::string_view key, MonotonicTime since) {
  const std::lock_guard lock(mutex_);
  const BindingCache::Entry* entry = cache_.find(key);
  if (!entry || entry->verified <= since || entry->verified <= doubted_) return std::nullopt;
  return Known{entry->binding, entry->verified, entry->absences};
}

std::optional<Binding> NodeBindings::last_known(std::string_view key, uint64_t above) {
  const std::lock_guard lock(mutex_);
  const BindingCache::Entry* entry = cache_.find(key);
  if (!entry || entry->binding.epoch <= above) return std::nullopt;
  return entry->binding;
}

void NodeBindings::put(std::string_view key, const Known& known) {
  const std::lock_guard lock(mutex_);
  // An announcement may have overtaken the answer.
  const BindingCache::Entry* entry = cache_.find(key);
  if (entry && entry->binding.epoch > known.binding.epoch) return;
  cache_.put(key, known.binding, known.verified).absences = known.absences;
}

void NodeBindings::suppose(std::string_view key, const Binding& binding) {
  const std::lock_guard lock(mutex_);
  const BindingCache::Entry* entry = cache_.find(key);
  if (entry && entry->binding.epoch >= binding.epoch) return;
  cache_.put(key, binding, BindingCache::never);
}

void NodeBindings::learn(const Moved& moved) {
  const std::lock_guard lock(mutex_);
  if (cache_.find(moved.key)) return cache_.learn(moved);
  cache_.put(moved.key, moved.binding, clock_.now());
}

void NodeBindings::doubt() {
  const std::lock_guard lock(mutex_);
  doubted_ = clock_.now();
}

}  // namespace usher::routing
