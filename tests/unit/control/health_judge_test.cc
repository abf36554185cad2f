#include "control/health_judge.h"

#include <gtest/gtest.h>

#include <string_view>
#include <utility>

namespace usher::control {
namespace {

using routing::Health;
using Kind = Finding::Kind;

struct SaidRow {
  ProbeAnswer answer;
  Said said;
};

TEST(SaidBy, AStatusIsWellOrUnwellOrTheQuestionIsNotKnown) {
  const SaidRow rows[] = {
      {{.status = 200}, Said::well},      {{.status = 204}, Said::well},
      {{.status = 301}, Said::nothing},   {{.status = 400}, Said::nothing},
      {{.status = 404}, Said::nothing},   {{.status = 421}, Said::nothing},
      {{.status = 501}, Said::nothing},   {{.status = 500}, Said::unwell},
      {{.status = 503}, Said::unwell},    {{.reason = "no answer in time"}, Said::silent},
      {{.refused = true}, Said::refused},
  };
  for (const SaidRow& row : rows)
    EXPECT_EQ(said_by(row.answer), row.said) << row.answer.status;
}

struct ConcludeRow {
  Said ready;
  Said life;
  Kind kind;
};

TEST(Conclude, ReadinessAndLifeAreTwoFacts) {
  constexpr ConcludeRow rows[] = {
      {Said::well, Said::unwell, Kind::ready},
      {Said::unwell, Said::well, Kind::unready},
      {Said::unwell, Said::nothing, Kind::unready},
      {Said::unwell, Said::unwell, Kind::ill},
      {Said::unwell, Said::silent, Kind::silent},
      {Said::unwell, Said::refused, Kind::refused},
      // A database that hangs keeps the answer back.
      {Said::silent, Said::well, Kind::unready},
      {Said::silent, Said::silent, Kind::silent},
      {Said::silent, Said::unwell, Kind::ill},
      {Said::refused, Said::well, Kind::refused},
      // Neither question is known: whatever answers is well.
      {Said::nothing, Said::well, Kind::ready},
      {Said::nothing, Said::nothing, Kind::ready},
      {Said::nothing, Said::unwell, Kind::ill},
      {Said::nothing, Said::silent, Kind::silent},
  };
  for (const ConcludeRow& row : rows)
    EXPECT_EQ(conclude({row.ready, row.life}), row.kind) << "row " << &row - rows;
}

TEST(DetailIn, IsWhatAnApplicationSaysOfAnError) {
  EXPECT_EQ(detail_in(R"({"detail":"Redis not ready"})"), "Redis not ready");
  for (const char* body : {"", "{}", "[]", "<html>", R"({"detail":[1]})", R"({"detail":"a\nb"})"})
    EXPECT_EQ(detail_in(body), "") << body;
  EXPECT_EQ(detail_in(R"({"detail":")" + std::string(101, 'a') + "\"}"), "");
  EXPECT_TRUE(says_starting("Startup not complete"));
  EXPECT_FALSE(says_starting("Redis not ready"));
}

// One replica and who judges it: falls at 3, rises at 2, starts for a minute.
struct Patient {
  Health sees(Kind kind, bool starts = false) {
    const Health after = judge.judge({.kind = kind, .starts = starts}, status, settings, now);
    status.set_health(after);
    if (kind == Kind::refused) status.connect_refused();
    now += std::chrono::seconds(2);
    return after;
  }
  Health sees(int times, Kind kind) {
    while (times-- > 1)
      sees(kind);
    return sees(kind);
  }

  conf::HealthSettings settings;
  routing::ReplicaStatus status;
  HealthJudge judge;
  MonotonicTime now{};
};

TEST(HealthJudge, AReplicaIsUpAtItsFirstGoodAnswer) {
  Patient patient;
  EXPECT_EQ(patient.sees(Kind::ready), Health::up);
}

TEST(HealthJudge, AStatusTakesReadinessAndNeverLife) {
  Patient patient;
  patient.sees(Kind::ready);
  EXPECT_EQ(patient.sees(2, Kind::unready), Health::up);
  EXPECT_EQ(patient.sees(Kind::unready), Health::unready);
  EXPECT_EQ(patient.sees(1000, Kind::unready), Health::unready);
  EXPECT_EQ(patient.status.absences(), 0U);
  EXPECT_EQ(patient.sees(Kind::ready), Health::unready);
  EXPECT_EQ(patient.sees(Kind::ready), Health::up);
}

TEST(HealthJudge, AReplicaThatSaysThatItDoesNotLiveIsIll) {
  Patient patient;
  patient.sees(Kind::ready);
  EXPECT_EQ(patient.sees(2, Kind::ill), Health::up);
  EXPECT_EQ(patient.sees(Kind::ill), Health::ill);
  EXPECT_EQ(patient.sees(Kind::unready), Health::ill);
  EXPECT_EQ(patient.sees(Kind::unready), Health::unready) << "it lives again";
}

TEST(HealthJudge, OneThatDoesNotAnswerIsDownAfterSomeTimeAndOneThatRefusesAtOnce) {
  Patient silent;
  silent.sees(Kind::ready);
  EXPECT_EQ(silent.sees(2, Kind::silent), Health::up);
  EXPECT_EQ(silent.sees(Kind::silent), Health::down);
  Patient refuses;
  refuses.sees(Kind::ready);
  EXPECT_EQ(refuses.sees(Kind::refused), Health::down);
}

TEST(HealthJudge, AnAnswerOfAnyKindBreaksASilence) {
  Patient patient;
  patient.sees(Kind::ready);
  for (int i = 0; i < 10; ++i) {
    EXPECT_NE(patient.sees(2, Kind::silent), Health::down);
    EXPECT_NE(patient.sees(Kind::unready), Health::down);
  }
  EXPECT_EQ(patient.status.health(), Health::unready);
}

TEST(HealthJudge, AFailedRequestCountsAsASilence) {
  Patient patient;
  patient.sees(Kind::ready);
  EXPECT_FALSE(patient.status.attempt_failed(3));
  EXPECT_FALSE(patient.status.attempt_failed(3));
  EXPECT_EQ(patient.sees(Kind::silent), Health::down);
}

TEST(HealthJudge, OneThatStartsIsForNobodyBeforeItWasReadyOnce) {
  Patient patient;
  patient.sees(Kind::refused);
  EXPECT_EQ(patient.sees(Kind::unready), Health::starting);
  EXPECT_EQ(patient.sees(10, Kind::unready), Health::starting);
  EXPECT_FALSE(patient.status.serves_bound());
  EXPECT_EQ(patient.sees(Kind::ready), Health::starting);
  EXPECT_EQ(patient.sees(Kind::ready), Health::up);
}

TEST(HealthJudge, OneThatAWorkerFoundGoneStartsAsWell) {
  Patient patient;
  patient.sees(Kind::ready);
  patient.status.connect_refused();
  EXPECT_EQ(patient.sees(Kind::unready), Health::starting);
}

TEST(HealthJudge, AStartHasAnEnd) {
  Patient patient;
  patient.sees(Kind::refused);
  EXPECT_EQ(patient.sees(30, Kind::unready), Health::starting);
  EXPECT_EQ(patient.sees(2, Kind::unready), Health::unready);
  // A process that follows it starts anew.
  patient.sees(Kind::refused);
  EXPECT_EQ(patient.sees(Kind::unready), Health::starting);
}

TEST(HealthJudge, OneThatWasOnlySilentDoesNotStart) {
  Patient patient;
  patient.sees(Kind::ready);
  patient.sees(3, Kind::silent);
  EXPECT_EQ(patient.sees(Kind::unready), Health::down);
  EXPECT_EQ(patient.sees(Kind::unready), Health::unready);
}

// usher itself was restarted while a database is away: nothing says that the replicas start.
TEST(HealthJudge, OneThatIsNotReadyAtTheFirstLookIsInUseUnlessItSaysThatItStarts) {
  Patient patient;
  EXPECT_EQ(patient.sees(Kind::unready), Health::unready);
  Patient starts;
  EXPECT_EQ(starts.sees(Kind::unready, true), Health::starting);
  EXPECT_EQ(starts.sees(2, Kind::ready), Health::up);
  // What was ready has started, whatever it says.
  for (int i = 0; i < 5; ++i)
    starts.sees(Kind::unready, true);
  EXPECT_EQ(starts.status.health(), Health::unready);
}

}  // namespace
}  // namespace usher::control
