// Failure as a value. Result<T> holds a T or an Error; Outcome is success or an Error.
#pragma once

#include <cstdlib>
#include <optional>
#include <utility>
#include <variant>

#include "base/error.h"

namespace usher {

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & { return held<0>(state_); }
  const T& value() const& { return held<0>(state_); }
  T&& value() && { return std::move(held<0>(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const& { return held<1>(state_); }
  Error&& error() && { return std::move(held<1>(state_)); }

 private:
  // Asking for the one that is not there is a bug in the caller: it ends here, not in a null
  // pointer.
  template <size_t Index>
  static auto& held(auto& state) {
    auto* const value = std::get_if<Index>(&state);
    if (!value) std::abort();
    return *value;
  }

  std::variant<T, Error> state_;
};

class [[nodiscard]] Outcome {
 public:
  Outcome() = default;
  Outcome(Error error) : error_(std::move(error)) {}  // NOLINT: implicit

  bool ok() const { return !error_; }
  explicit operator bool() const { return ok(); }
  const Error& error() const& { return *error_; }
  Error&& error() && { return std::move(*error_); }

 private:
  std::optional<Error> error_;
};

}  // namespace usher
