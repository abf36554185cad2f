// The asker's end of an asynchronous call. Keep it as a member: destroying it cancels the answer,
// so that an answer never reaches an object that is gone.
//
// The answerer derives from PendingAnswer (or holds one) and is told by cancel() at most once,
// never after it has called finished().
#pragma once

#include <utility>

namespace usher {

class PendingAnswer {
 public:
  PendingAnswer() = default;
  PendingAnswer(const PendingAnswer&) = delete;
  PendingAnswer& operator=(const PendingAnswer&) = delete;

 protected:
  friend class Pending;
  virtual ~PendingAnswer();
  // The asker no longer wants the answer. Must not call back. May destroy this object.
  virtual void cancel() noexcept = 0;
  // Cuts the tie before the answer is delivered (or when it never will be).
  void finished() noexcept;

 private:
  class Pending* asker_ = nullptr;
};

class [[nodiscard]] Pending final {
 public:
  Pending() = default;
  explicit Pending(PendingAnswer& answer) : answer_(&answer) { answer.asker_ = this; }
  Pending(Pending&& other) noexcept : answer_(std::exchange(other.answer_, nullptr)) { adopt(); }
  Pending& operator=(Pending&& other) noexcept {
    if (this != &other) {
      reset();
      answer_ = std::exchange(other.answer_, nullptr);
      adopt();
    }
    return *this;
  }
  Pending(const Pending&) = delete;
  Pending& operator=(const Pending&) = delete;
  ~Pending() { reset(); }

  bool active() const { return answer_ != nullptr; }
  void reset() noexcept {
    if (PendingAnswer* answer = std::exchange(answer_, nullptr)) {
      answer->asker_ = nullptr;
      answer->cancel();
    }
  }

 private:
  friend class PendingAnswer;
  void adopt() noexcept {
    if (answer_) answer_->asker_ = this;
  }

  PendingAnswer* answer_ = nullptr;
};

inline void PendingAnswer::finished() noexcept {
  if (asker_) std::exchange(asker_, nullptr)->answer_ = nullptr;
}
inline PendingAnswer::~PendingAnswer() { finished(); }

}  // namespace usher
