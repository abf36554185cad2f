#include "control/certificate_keeper.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/fd.h"
#include "tls/self_signed.h"

namespace usher::control {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

class ACertificateKeeper : public ::testing::Test {
 protected:
  ACertificateKeeper() { settings_.certificates = {{folder_ / "chain.pem", folder_ / "key.pem"}}; }
  ~ACertificateKeeper() override { fs::remove_all(folder_); }

  tls::PemPair pair() const { return *tls::make_self_signed(clock_.wall()); }
  // As a renewal tool does: another file under the same name.
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / (name + ".new")) << text;
    fs::rename(folder_ / (name + ".new"), folder_ / name);
  }
  void write(const tls::PemPair& pem) const {
    write("chain.pem", pem.chain);
    write("key.pem", pem.key);
  }
  void start() {
    auto set = keeper_.load(settings_);
    ASSERT_TRUE(set) << set.error().detail;
    keeper_.use(std::move(*set));
  }
  size_t logged(const std::string& event) const {
    std::ifstream in(folder_ / "log");
    size_t count = 0;
    for (std::string line; std::getline(in, line);)
      count += line.find('"' + event + '"') != std::string::npos;
    return count;
  }
  const tls::Credential* shown() const { return keeper_.credentials().at(0).get(); }

  static fs::path make_folder() {
    std::string name = fs::temp_directory_path() / "usher-keeper-XXXXXX";
    return ::mkdtemp(name.data());
  }

  fs::path folder_ = make_folder();
  Fd log_file_{::open((folder_ / "log").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
  ManualClock clock_;
  conf::TlsSettings settings_;
  Log log_{log_file_.get()};
  net::Loop loop_;
  StateDirectory state_ = StateDirectory::find(folder_ / "state");
  int changes_ = 0;
  CertificateKeeper keeper_{loop_, clock_, state_, log_, [this] { ++changes_; }};
};

TEST_F(ACertificateKeeper, LoadsAPairThatHasBeenLeftAloneForALook) {
  write(pair());
  start();
  const tls::Credential* const first = shown();
  keeper_.look();
  EXPECT_EQ(shown(), first);

  const tls::PemPair next = pair();
  write("chain.pem", next.chain);
  keeper_.look();
  write("key.pem", next.key);
  keeper_.look();
  EXPECT_EQ(shown(), first);
  keeper_.look();
  EXPECT_NE(shown(), first);
  EXPECT_EQ(changes_, 1);
  EXPECT_EQ(logged("certificate_loaded"), 1u);
  EXPECT_EQ(logged("certificate_refused"), 0u);
  keeper_.look();
  EXPECT_EQ(changes_, 1);
}

TEST_F(ACertificateKeeper, FollowsSymlinks) {
  const auto lineage = [this](int generation) {
    const tls::PemPair pem = pair();
    write("chain" + std::to_string(generation), pem.chain);
    write("key" + std::to_string(generation), pem.key);
    for (const std::string name : {"chain", "key"}) {
      fs::remove(folder_ / (name + ".pem"));
      fs::create_symlink(name + std::to_string(generation), folder_ / (name + ".pem"));
    }
  };
  lineage(1);
  start();
  const tls::Credential* const first = shown();
  lineage(2);
  keeper_.look();
  keeper_.look();
  EXPECT_NE(shown(), first);
}

TEST_F(ACertificateKeeper, KeepsWhatItHasWhenTheNewPairIsBrokenAndSaysSoOnce) {
  write(pair());
  start();
  const tls::Credential* const first = shown();
  write("key.pem", pair().key);
  for (int i = 0; i < 5; ++i)
    keeper_.look();
  fs::remove(folder_ / "chain.pem");
  for (int i = 0; i < 5; ++i)
    keeper_.look();
  EXPECT_EQ(shown(), first);
  EXPECT_EQ(changes_, 0);
  EXPECT_EQ(logged("certificate_refused"), 2u);  // two breaks
  write(pair());
  keeper_.look();
  keeper_.look();
  EXPECT_EQ(changes_, 1);
}

class AStart : public ACertificateKeeper {
 protected:
  using Strictness = CertificateKeeper::Strictness;

  // As another process: nothing is known but what the directories hold.
  void start_anew(Strictness strictness = Strictness::whatever_there_is) {
    auto set = keeper_.load(settings_, {}, strictness);
    ASSERT_TRUE(set) << set.error().detail;
    keeper_.use(std::move(*set));
  }
  std::string shown_text() const { return shown()->to_pem(); }
};

TEST_F(AStart, KeepsACopyThatOnlyItsOwnerMayRead) {
  write(pair());
  start_anew();
  const auto names = state_.names("certificate-");
  ASSERT_EQ(names.size(), 1u);
  EXPECT_EQ(fs::status(fs::path(state_.path()) / names[0]).permissions(),
            fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_EQ(state_.read(names[0]), shown_text());
  // A renewed pair is copied, too.
  const std::string before = shown_text();
  write(pair());
  keeper_.look();
  keeper_.look();
  EXPECT_NE(shown_text(), before);
  EXPECT_EQ(state_.read(names[0]), shown_text());
}

TEST_F(AStart, ShowsTheCopyOfAPairThatCannotBeUsedUntilItCan) {
  write(pair());
  start_anew();
  const std::string before = shown_text();
  fs::remove(folder_ / "key.pem");
  start_anew();
  EXPECT_EQ(shown_text(), before);
  ASSERT_EQ(keeper_.problems().size(), 1u);
  EXPECT_NE(keeper_.problems()[0].reason.find("key.pem"), std::string::npos);
  EXPECT_NE(keeper_.problems()[0].shown.find("copy in"), std::string::npos);
  EXPECT_EQ(logged("certificate_unusable"), 1u);
  EXPECT_EQ(state_.names("certificate-").size(), 1u);
  write(pair());
  keeper_.look();
  keeper_.look();
  EXPECT_TRUE(keeper_.problems().empty());
  EXPECT_NE(shown_text(), before);
  EXPECT_EQ(changes_, 1);
}

TEST_F(AStart, ShowsWhatWasShownLastWhereAnotherPathIsWrong) {
  write(pair());
  start_anew();
  const std::string before = shown_text();
  settings_.certificates = {{folder_ / "wrong.pem", folder_ / "wrong.key"}};
  start_anew();
  EXPECT_EQ(shown_text(), before);
  const tls::PemPair right = pair();
  write("wrong.pem", right.chain);
  write("wrong.key", right.key);
  keeper_.look();
  keeper_.look();
  EXPECT_NE(shown_text(), before);
  EXPECT_EQ(keeper_.credentials().size(), 1u);
  EXPECT_EQ(state_.names("certificate-").size(), 1u);
}

TEST_F(AStart, MakesOneOfItsOwnWhereThereIsNothingElse) {
  start_anew();
  ASSERT_EQ(keeper_.problems().size(), 1u);
  EXPECT_EQ(keeper_.credentials().size(), 1u);
  EXPECT_TRUE(state_.names("certificate-").empty());
}

TEST_F(AStart, TakesNoCopyThatIsOver) {
  write(pair());
  start_anew();
  const std::string before = shown_text();
  fs::remove(folder_ / "key.pem");
  clock_.advance(24h * 398);
  start_anew();
  EXPECT_NE(shown_text(), before);
}

TEST_F(AStart, TakesNothingButTheFilesWhenAskedTo) {
  write(pair());
  start_anew();
  fs::remove(folder_ / "key.pem");
  EXPECT_FALSE(keeper_.load(settings_));
}

TEST_F(AStart, ForgetsTheCopiesOfPairsThatAreNoLongerNamed) {
  write(pair());
  start_anew();
  settings_.certificates.clear();
  start_anew();
  EXPECT_TRUE(state_.names("certificate-").empty());
}

TEST_F(ACertificateKeeper, WarnsInTheLastTwoWeeks) {
  write(pair());  // for 397 days
  start();
  clock_.advance(24h * 382);
  keeper_.look_at_ends();
  EXPECT_EQ(logged("certificate_expires"), 0u);
  clock_.advance(24h * 2);
  keeper_.look_at_ends();
  EXPECT_EQ(logged("certificate_expires"), 1u);
}

TEST_F(ACertificateKeeper, RenewsTheSelfSignedOne) {
  settings_.certificates.clear();
  start();
  const tls::Credential* const first = shown();
  clock_.advance(24h * 384);
  keeper_.look_at_ends();
  EXPECT_NE(shown(), first);
  EXPECT_EQ(changes_, 1);
  EXPECT_EQ(logged("certificate_expires"), 0u);
}

}  // namespace
}  // namespace usher::control
