// When files have become others than those that were read.
#pragma once

#include <utility>
#include <vector>

#include "base/files.h"

namespace usher::control {

// Of files that are one thing, such as a certificate and its key: they do not change at the same
// moment, and none is written in one.
class FileWatch final {
 public:
  // What they were before they were read: what changes meanwhile is read again.
  explicit FileWatch(std::vector<FileMark> before) : read_(std::move(before)), seen_(read_) {}

  // With each look. True once for each change, when they have been left alone for a look.
  bool shows_change(std::vector<FileMark> now) {
    if (now == read_) return false;
    const bool left_alone = now == seen_;
    seen_ = std::move(now);
    if (left_alone) read_ = seen_;
    return left_alone;
  }

 private:
  std::vector<FileMark> read_;
  std::vector<FileMark> seen_;
};

}  // namespace usher::control
