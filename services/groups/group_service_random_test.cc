// Random members, commands and failures of the channel. Each v1 member's chain must stay whole,
// each command must get one answer, and in the end all recoveries must end.

#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "services/groups/group_service_fixture.h"

namespace groupcast::service {
namespace {

int64_t Number(const std::string& json, const std::string& name) {
  const size_t at = json.find("\"" + name + "\":");
  if (at == std::string::npos || !isdigit(json[at + name.size() + 3])) return -1;
  return std::stoll(json.substr(at + name.size() + 3));
}

std::string Text(const std::string& json, const std::string& name) {
  const size_t at = json.find("\"" + name + "\":\"");
  if (at == std::string::npos) return "";
  const size_t begin = at + name.size() + 4;
  return json.substr(begin, json.find('"', begin) - begin);
}

class RandomTest : public GroupServiceFixture, public testing::WithParamInterface<int> {
 protected:
  struct Place {
    std::string epoch;
    int64_t offset = 0;
    bool operator==(const Place&) const = default;
  };
  struct Model {
    std::unique_ptr<FakeMember> member;
    bool v1 = true;
    size_t read = 0;
    std::map<int64_t, char> open;         // id: 'j', 'l', 's', 'h', 'p'
    std::map<std::string, Place> groups;  // joined
    std::map<std::string, Place> last;    // last seen
  };

  // Nothing may depend on the way that an engine counts: a half of the seeds has a counter for each
  // group.
  RandomTest() : GroupServiceFixture({.recent = {.group_messages_max = 4}}) {
    if (GetParam() % 2 != 0) hub_.CountGroupsAlone();
  }

  static constexpr size_t kMuch = 1'000;

  // A session drains only after it had something to write.
  static void Drain(Model* m, size_t blocks_max) {
    if (m->member->room < kMuch) m->member->Drain(blocks_max);
  }

  int Pick(int below) { return static_cast<int>(random_() % static_cast<uint32_t>(below)); }
  std::string PickGroup() { return std::string(1, static_cast<char>('a' + Pick(3))); }

  void Read(Model* m) {
    for (; m->read < m->member->received.size(); ++m->read) {
      const std::string& event = m->member->received[m->read];
      if (!absl::StartsWith(event, "{")) {
        if (m->v1) ADD_FAILURE() << event;
        continue;
      }
      SCOPED_TRACE(event);
      const std::string kind = Text(event, "event");
      const std::string group = Text(event, "group_id");
      if (kind == "message") {
        if (!m->v1) {
          ADD_FAILURE();
          continue;
        }
        const auto at = m->groups.find(group);
        if (at == m->groups.end()) {
          ADD_FAILURE() << "not joined";
          continue;
        }
        EXPECT_EQ(Number(event, "previous"), at->second.offset);
        EXPECT_GT(Number(event, "offset"), at->second.offset);
        at->second.offset = Number(event, "offset");
        m->last[group] = at->second;
        if (!absl::StrContains(event, "excluded")) {
          const std::string key =
              absl::StrCat(at->second.epoch, "/", group, "/", at->second.offset);
          const auto known = texts_.emplace(key, Text(event, "message")).first;
          EXPECT_EQ(known->second, Text(event, "message")) << key;
          EXPECT_TRUE(absl::StartsWith(known->second, absl::StrCat("text-", group)))
              << known->second;
        }
      } else if (kind == "gap") {
        const auto at = m->groups.find(group);
        if (at == m->groups.end()) {
          ADD_FAILURE() << "not joined";
          continue;
        }
        if (Text(event, "epoch") == at->second.epoch) {
          EXPECT_EQ(Number(event, "from"), at->second.offset);
          EXPECT_GT(Number(event, "to"), at->second.offset);
        } else {
          EXPECT_EQ(Number(event, "from"), -1);
        }
        at->second = {Text(event, "epoch"), Number(event, "to")};
        m->last[group] = at->second;
      } else {
        const int64_t id = Number(event, "id");
        const auto open = m->open.find(id);
        if (open == m->open.end()) {
          ADD_FAILURE() << "no such id";
          continue;
        }
        const char what = open->second;
        m->open.erase(open);
        if (kind == "error") continue;
        if (what == 'j') {
          const Place place{Text(event, "epoch"), Number(event, "offset")};
          const auto [at, is_new] = m->groups.emplace(group, place);
          if (!is_new && m->v1) {
            EXPECT_EQ(at->second, place) << at->second.offset;
          }
          if (m->v1) m->last[group] = place;
        } else if (what == 'l') {
          m->groups.erase(group);
        }
      }
    }
  }
  void ReadAll() {
    for (auto& m : models_) Read(m.get());
  }

  std::string Since(Model* m, const std::string& group) {
    Place place{EpochText(Epoch{epoch_}), Pick(static_cast<int>(published_) + 2)};
    if (const auto last = m->last.find(group); last != m->last.end() && Pick(4) != 0) {
      place = last->second;
    } else if (!models_.empty() && Pick(2) == 0) {
      Model* other = models_[static_cast<size_t>(Pick(static_cast<int>(models_.size())))].get();
      if (other->last.count(group) > 0) place = other->last[group];
    }
    return absl::StrCat(R"(,"since":{"epoch":")", place.epoch, R"(","offset":)", place.offset, "}");
  }

  void Step() {
    const int what = Pick(100);
    if (models_.empty() || what < 4) {
      if (models_.size() < 12) {
        auto m = std::make_unique<Model>();
        m->v1 = Pick(4) != 0;
        m->member = m->v1 ? V1() : Bare();
        if (!lost_.empty() && Pick(3) != 0)
          m->last = lost_[static_cast<size_t>(Pick(static_cast<int>(lost_.size())))];
        models_.push_back(std::move(m));
      }
      return;
    }
    Model* m = models_[static_cast<size_t>(Pick(static_cast<int>(models_.size())))].get();
    const std::string group = PickGroup();
    const int64_t id = ++ids_;
    if (what < 30) {
      std::string fields;
      if (const int kind = Pick(4); kind < 2)
        fields = Since(m, group);
      else if (kind == 2)
        fields = absl::StrCat(",\"history\":", 1 + Pick(8));
      m->open[id] = 'j';
      m->member->Do(
          absl::StrCat(R"({"cmd":"add_group","group_id":")", group, "\",\"id\":", id, fields, "}"));
    } else if (what < 36) {
      m->open[id] = 'l';
      m->member->Do(
          absl::StrCat(R"({"cmd":"leave_group","group_id":")", group, "\",\"id\":", id, "}"));
    } else if (what < 52) {
      m->open[id] = 's';
      ++published_;
      m->member->Do(absl::StrCat(R"({"cmd":"send_to_group","group_id":")", group, "\",\"id\":", id,
                                 R"(,"message":"text-)", group, "-", id,
                                 std::string(static_cast<size_t>(Pick(40)), 'x'), "\"",
                                 Pick(3) == 0 ? R"(,"exclude_self":true)" : "", "}"));
    } else if (what < 55) {
      m->open[id] = 'h';
      m->member->Do(
          absl::StrCat(R"({"cmd":"group_history","group_id":")", group, "\",\"id\":", id, "}"));
    } else if (what < 58) {
      m->member->room = static_cast<size_t>(Pick(4));
    } else if (what < 66) {
      Drain(m, Pick(2) == 0 ? kMuch : static_cast<size_t>(1 + Pick(4)));
    } else if (what < 68) {
      lost_.push_back(m->last);
      for (auto& each : models_) {
        if (each.get() == m) {
          each = std::move(models_.back());
          models_.pop_back();
          break;
        }
      }
    } else if (what < 72) {
      channel_.HoldMessages(Pick(3) == 0);
    } else if (what < 76) {
      channel_.HoldAnswers(Pick(2) == 0);
    } else if (what < 79) {
      connected_ = Pick(3) != 0;
      channel_.SetConnected(connected_);
    } else if (what < 80) {
      channel_.SetRoom(Pick(3) != 0);
    } else if (what < 81) {
      // Only up to a place of the group.
      if (const auto last = m->last.find(group);
          last != m->last.end() && last->second.epoch == EpochText(Epoch{epoch_})) {
        hub_.RaiseFloor(group, static_cast<uint64_t>(last->second.offset));
      }
    } else if (what < 82 && Pick(4) == 0) {
      epoch_ += 1;
      hub_.BeginEpoch(Epoch{epoch_});
    } else if (what < 88) {
      clock_.Advance(absl::Milliseconds(Pick(3) == 0 ? 2000 : 100));
      service_.CheckDeadlines();
      service_.ServeReaders();
    } else {
      hub_.Pump();
    }
    ReadAll();
  }

  std::mt19937 random_;
  std::vector<std::unique_ptr<Model>> models_;
  std::vector<std::map<std::string, Place>> lost_;
  std::map<std::string, std::string> texts_;
  int64_t ids_ = 0;
  int64_t published_ = 0;
  uint64_t epoch_ = 0x0a;
  bool connected_ = true;
};

TEST_P(RandomTest, AllEndsWell) {
  for (int round = 0; round < 60 && !HasFailure(); ++round) {
    random_.seed(static_cast<uint32_t>(GetParam() * 1000 + round));
    hub_.SetAnswerMax(static_cast<size_t>(1 + Pick(6)));
    for (int i = 0; i < 300 && !HasFailure(); ++i) Step();
    channel_.HoldMessages(false);
    channel_.HoldAnswers(false);
    channel_.SetConnected(true);
    channel_.SetRoom(true);
    for (int i = 0; i < 120; ++i) {
      hub_.Pump();
      for (auto& m : models_) Drain(m.get(), kMuch);
      hub_.Pump();
      clock_.Advance(absl::Milliseconds(250));
      service_.CheckDeadlines();
      service_.ServeReaders();
    }
    hub_.Pump();
    ReadAll();
    std::map<std::string, Place> heads;
    for (const char* group : {"a", "b", "c"}) {
      channel_.FetchHistory(group, {}, 1, [&, group](absl::StatusOr<History> history) {
        heads[group] = {EpochText(history->head.epoch), static_cast<int64_t>(history->head.offset)};
      });
    }
    hub_.Pump();
    for (auto& m : models_) {
      EXPECT_EQ(m->member->recoveries, 0u);
      EXPECT_EQ(m->member->pending_answers, 0);
      EXPECT_FALSE(m->member->waits_for_room);
      EXPECT_TRUE(m->open.empty()) << m->open.begin()->first << m->open.begin()->second;
      if (!m->v1) continue;
      for (const auto& [group, place] : m->groups)
        EXPECT_EQ(place, heads[group]) << group << place.offset << " " << heads[group].offset;
    }
    if (HasFailure()) ADD_FAILURE() << "round " << round;
    models_.clear();
    EXPECT_EQ(service_.table().group_count(), 0u);
  }
  // All that the test is about has happened.
  const GroupService::Counters counters = service_.counters();
  EXPECT_GT(counters.deliveries, 1'000u);
  EXPECT_GT(counters.gaps, 10u);
  EXPECT_GT(counters.recoveries, 100u);
  EXPECT_GT(counters.recoveries_lost, 100u);
  EXPECT_GT(counters.errors, 100u);
  RecordProperty("deliveries", static_cast<int>(counters.deliveries));
  std::printf("%lu deliveries %lu gaps %lu recovered %lu lost %lu errors\n", counters.deliveries,
              counters.gaps, counters.recoveries, counters.recoveries_lost, counters.errors);
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomTest, testing::Range(0, 20));

}  // namespace
}  // namespace groupcast::service
