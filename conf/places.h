// Where in the file each field got its value, so that a check of the finished settings can point
// there.
#pragma once

#include <map>
#include <set>
#include <utility>

#include "conf/problems.h"

namespace usher::conf {

// A field is known by its address and its type (a struct and its first member share an address).
// The settings must not move, nor their lists grow, between put() and of().
class Places final {
 public:
  template <typename T>
  static const void* type_of() {
    return &tag<T>;
  }
  void put(const void* field, const void* type, Position at) { places_[{field, type}] = at; }
  // Nowhere, when the file does not mention the field.
  template <typename T>
  Position of(const T& field) const {
    const auto found = places_.find({&field, &tag<T>});
    return found == places_.end() ? Position{} : found->second;
  }
  // The field's, else that of what it belongs to.
  template <typename T, typename Owner>
  Position of(const T& field, const Owner& owner) const {
    const Position at = of(field);
    return at.line > 0 ? at : of(owner);
  }

  // Something in this table is wrong and was told: what follows from it is not told as well.
  void doubt(const void* table, const void* type) { doubted_.insert({table, type}); }
  template <typename T>
  bool doubts(const T& table) const {
    return doubted_.contains({&table, &tag<T>});
  }

 private:
  using Field = std::pair<const void*, const void*>;
  template <typename T>
  static inline const char tag = 0;
  std::map<Field, Position> places_;
  std::set<Field> doubted_;
};

}  // namespace usher::conf
