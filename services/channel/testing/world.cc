#include "services/channel/testing/world.h"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/channel/testing/event_queue.h"
#include "services/channel/testing/keyed_sender.h"
#include "services/channel/testing/network.h"
#include "services/channel/testing/presence_watcher.h"
#include "services/channel/testing/simulated_client.h"
#include "services/channel/testing/simulated_server.h"
#include "services/channel/testing/simulated_worker.h"
#include "services/channel/testing/truth.h"
#include "services/channel/testing/world_plan.h"
#include "services/channel_server/log/testing/memory_storage.h"

namespace groupcast::service::testing {
namespace {

struct Host {
  std::unique_ptr<SimulatedHost> process;
  PublisherId publisher{};
};

// How long it may take, when all faults have ended and everybody is back, until all that was sent
// is answered and delivered.
constexpr absl::Duration kRestWithin = absl::Seconds(40);

// Longer than a member may stay that should leave: a lease, a grace, and events that are late.
constexpr absl::Duration kLateLeaves = absl::Seconds(20);

constexpr char kWatchedGroup[] = "g1";

class World {
 public:
  // (Worlds without watchers are the same as before there were any.)
  World(uint64_t seed, bool trace)
      : random_(seed), presence_random_(~seed), trace_(trace), plan_(PlanWorld(&random_)) {
    plan_.server.broker.new_epoch = [this] { return Epoch{random_.Next()}; };
    if (has_log()) {
      storage_.emplace(plan_.server.log.fsync);
      storage_->set_create_takes(plan_.create_takes);
      plan_.server.storage = &*storage_;
    }
    result_.description = plan_.Description();
  }

  WorldResult Run() {
    if (trace_) truth_.SetTrace([this](const std::string& what) { Trace(what); });
    Trace(result_.description);
    // Members may miss more than is kept.
    if (plan_.forgetful) truth_.AllowLosses();
    truth_.CountKeysFor(plan_.server.broker.keys.window);
    network_.emplace(plan_.network, &events_, &random_);
    StartServer();
    if (has_log() && plan_.server.log.fsync == FsyncMode::kInterval) SyncNowAndThen();
    const int64_t workers = random_.Between(1, 3);
    for (int64_t i = 0; i < workers; ++i) StartWorker(static_cast<size_t>(i));
    StartClients();
    StartKeyedSenders();
    StartWatchers();
    const absl::Duration active = absl::Seconds(random_.Between(2, 6));
    const int64_t actions = random_.Between(5, 80);
    for (int64_t i = 0; i < actions; ++i) {
      events_.After(random_.Between(absl::ZeroDuration(), active), [this] { Act(); });
    }
    if (plan_.more_groups > 0) {
      events_.After(random_.Between(absl::ZeroDuration(), active), [this] { JoinMany(); });
    }
    for (int64_t i = 0; i < 5 * plan_.keyed_senders; ++i) {
      events_.After(random_.Between(absl::ZeroDuration(), active), [this] { SendWithKey(); });
    }
    const int64_t faults = random_.Between(0, 8);
    for (int64_t i = 0; i < faults; ++i) {
      events_.After(random_.Between(absl::ZeroDuration(), active), [this] { Fault(); });
    }
    if (!watchers_.empty()) {
      for (int64_t i = presence_random_.Between(0, 3); i > 0; --i) {
        events_.After(presence_random_.Between(absl::ZeroDuration(), active),
                      [this] { LoseClientSilently(); });
      }
    }
    RunUntil(events_.Now() + active);
    if (plan_.absence > absl::ZeroDuration()) BeAbsent();
    Heal();
    const absl::Time healed_at = events_.Now();
    while (!AtRest() && events_.Now() - healed_at < kRestWithin && truth_.failure().empty()) {
      RunUntil(events_.Now() + absl::Milliseconds(200));
    }
    if (!AtRest()) truth_.Fail(absl::StrCat("it does not come to rest: ", WhyNotAtRest()));
    result_.to_rest = events_.Now() - healed_at;
    if (has_grace() && !watchers_.empty() && AtRest() && presence_random_.OneIn(2)) {
      CheckThatViewsStay();
    }
    truth_.CheckRefused();
    Count("told as not done", truth_.refused());
    result_.failure = truth_.failure();
    if (trace_) {
      for (const Host& host : hosts_) {
        if (host.process == nullptr) continue;
        const ChannelClient::Counters& counters = host.process->worker()->client().counters();
        Trace(absl::StrCat("repairs ", counters.repairs, ", gaps ", counters.gaps, ", resyncs ",
                           counters.resyncs, ", resubscribes ", counters.resubscribes, ", resends ",
                           counters.resends));
      }
    }
    CountServer();
    for (const auto& sender : keyed_senders_) {
      Count("key that counted", sender->same_places());
      Count("key whose window had passed", sender->new_places());
    }
    for (const auto& watcher : watchers_) {
      Count("member that joined a view", watcher->joins());
      Count("member that left a view", watcher->leaves());
      Count("page of members", watcher->pages());
    }
    for (const Host& host : hosts_) CountWorker(host);
    CountLosses();
    result_.placed = truth_.placed();
    result_.acknowledged = truth_.acknowledged();
    const Network::Losses& losses = network_->losses();
    result_.lost_frames = losses.publications + losses.live + losses.live_queue_full +
                          losses.subscriptions + losses.control + losses.control_refused;
    return result_;
  }

 private:
  bool has_log() const { return plan_.server.broker.has_log; }
  bool has_grace() const {
    return plan_.server.broker.presence.groups.grace > absl::ZeroDuration();
  }
  bool may_come_again() const { return !has_log() || plan_.power_losses; }

  void StartServer() {
    Trace("server starts");
    plan_.server.log.boot_id = absl::StrCat("boot", boots_);
    truth_.OnServerDisturbed(events_.Now());
    server_ =
        std::make_unique<SimulatedServer>(plan_.server, &events_, &random_, &*network_, &truth_);
    watched_ = {};
    if (server_->dead()) return;  // nobody has heard of it
    const Epoch epoch = server_->broker().epoch();
    if (last_epoch_ != Epoch{}) {
      Count(has_log() ? "server started again with its log" : "server started again without a log");
      if (epoch != last_epoch_) OnNewEpoch();
    }
    last_epoch_ = epoch;
    tail_may_be_missing_ = !has_log();
  }

  void OnNewEpoch() {
    if (has_log()) Count("log began a new epoch");
    if (!tail_may_be_missing_) {
      truth_.Fail("the server began a new epoch, but nothing can have been lost");
    }
    truth_.AllowLosses();
  }

  void StartWorker(size_t index) {
    if (hosts_.size() <= index) hosts_.resize(index + 1);
    Host& host = hosts_[index];
    host.publisher = PublisherId{random_.Next()};
    Trace(absl::StrCat("worker ", index, " starts"));
    WorkerPlan plan;
    plan.client.publisher = host.publisher;
    plan.client.window = plan_.window;
    plan.client.presence = plan_.presence;
    plan.reads_per_turn_max = static_cast<int>(random_.Between(1, 50));
    host.process = std::make_unique<SimulatedHost>(plan, plan_.connection, plan_.service, &events_,
                                                   &random_, &*network_, &truth_);
  }

  void KillWorker(size_t index) {
    Trace(absl::StrCat("worker ", index, " dies"));
    Count("worker died");
    CountWorker(hosts_[index]);
    hosts_[index].process.reset();
    std::erase_if(bare_, [index](const auto& bare) { return bare.first == index; });
    events_.After(random_.Between(absl::ZeroDuration(), absl::Seconds(1)),
                  [this, index] { StartWorker(index); });
  }

  // A worker that takes connections, or null.
  SimulatedHost* AnyHost(size_t* index = nullptr) {
    const auto at =
        static_cast<size_t>(random_.Between(0, static_cast<int64_t>(hosts_.size()) - 1));
    if (index != nullptr) *index = at;
    Host& host = hosts_[at];
    return host.process == nullptr || host.process->worker()->stopped() ? nullptr
                                                                        : host.process.get();
  }

  void StartClients() {
    const int64_t clients = random_.Between(1, 5);
    for (int64_t i = 0; i < clients; ++i) {
      // Some are two windows of one session.
      const bool shares = i > 0 && random_.OneIn(4);
      sessions_.push_back(shares ? sessions_.back() : absl::StrCat("session", i));
      const int64_t windows = std::count(sessions_.begin(), sessions_.end(), sessions_.back());
      clients_.push_back(std::make_unique<SimulatedClient>(
          SimulatedClient::Options{
              .session = sessions_.back(),
              .key_prefix = absl::StrCat("k", plan_.keys_alike ? windows : i, "-"),
              .limits = plan_.session,
              .histories_fit = plan_.histories_fit(),
              .may_come_again = may_come_again(),
              .history = plan_.server.broker.retention,
              .keeps_history = plan_.keeps_history(),
              // Reads of the same group may share an answer.
              .age_slack = plan_.server.subscriber_patience == absl::ZeroDuration()
                               ? absl::Seconds(1)
                               : absl::Seconds(10)},
          &events_, &random_, &truth_, [this] { return AnyHost(); }, &result_.delivered));
      if (shares) clients_.back()->excluded = clients_[clients_.size() - 2]->excluded;
    }
  }

  void StartKeyedSenders() {
    for (int64_t i = 0; i < plan_.keyed_senders; ++i) {
      keyed_senders_.push_back(std::make_unique<KeyedSender>(
          KeyedSender::Options{.session = absl::StrCat("keyed session", i),
                               .may_come_again = may_come_again()},
          &events_, &random_, &truth_, [this] { return AnyHost(); }));
    }
  }

  void StartWatchers() {
    for (int64_t i = 0; i < plan_.watchers; ++i) {
      watchers_.push_back(std::make_unique<PresenceWatcher>(
          PresenceWatcher::Options{.group = kWatchedGroup,
                                   .session = absl::StrCat("watcher", i),
                                   .limit = static_cast<uint32_t>(1 + i),
                                   .sessions_count_once = has_grace()},
          &events_, &random_, &truth_, [this] { return AnyHost(); },
          [this](uint64_t id) { return Stays(id); }));
    }
  }

  // The connections in the watched group.
  std::set<uint64_t> Members() const {
    std::set<uint64_t> members;
    for (const Host& host : hosts_) {
      if (host.process == nullptr) continue;
      const Group* const group = host.process->service().table().Find(kWatchedGroup);
      if (group == nullptr || !group->subscribed) continue;
      for (const Group::Place& place : group->members) {
        members.insert(static_cast<uint64_t>(place.member->connection_id()));
      }
    }
    return members;
  }

  // Nobody has left the group by a command or because a join had no answer in time, and no process
  // was away for long: a connection that is in it was in it all the time. (Of two connections of a
  // session, the second may have come while the server was away. Then its id may be the member's.)
  bool Stays(uint64_t id) const {
    if (someone_left_ || truth_.join_refused() || plan_.absence > absl::ZeroDuration())
      return false;
    const std::set<uint64_t> members = Members();
    const std::string client = truth_.ClientOf(id);
    return members.contains(id) &&
           std::count_if(members.begin(), members.end(),
                         [&](uint64_t member) { return truth_.ClientOf(member) == client; }) == 1;
  }

  SimulatedClient& AnyClientOfPresence() {
    return *clients_[static_cast<size_t>(
        presence_random_.Between(0, static_cast<int64_t>(clients_.size()) - 1))];
  }

  void LoseClientSilently() {
    Trace("a client is lost, and its worker does not know it yet");
    Count("half-open connection");
    AnyClientOfPresence().CutHalfOpen(
        presence_random_.Between(absl::ZeroDuration(), absl::Seconds(12)));
  }

  // Clients that come back soon, and a server that begins again, change no view of a world at rest.
  void CheckThatViewsStay() {
    // A view may have been right by chance, before the server has told it.
    RunUntil(events_.Now() + kLateLeaves);
    Trace("from now on no view may change");
    const auto views = [this] {
      std::vector<std::map<uint64_t, int64_t>> views;
      for (const auto& watcher : watchers_) views.push_back(watcher->view());
      return views;
    };
    const auto views_before = views();
    for (const auto& watcher : watchers_) watcher->ExpectNoChange();
    for (int64_t i = presence_random_.Between(1, 3); i > 0; --i) {
      const auto worker =
          static_cast<size_t>(presence_random_.Between(0, static_cast<int64_t>(hosts_.size()) - 1));
      switch (presence_random_.Between(0, 2)) {
        case 0:
          Trace("a client is cut");
          AnyClientOfPresence().Cut();
          break;
        case 1:
          LoseClientSilently();
          break;
        default:
          // Its bare clients do not come back.
          if (bare_.empty()) KillWorker(worker);
      }
      RunUntil(events_.Now() + presence_random_.Between(absl::Seconds(3), absl::Seconds(10)));
    }
    RestartServer();
    RunUntil(events_.Now() + kLateLeaves);
    const absl::Time end = events_.Now() + kRestWithin;
    while (!AtRest() && events_.Now() < end && truth_.failure().empty()) {
      RunUntil(events_.Now() + absl::Milliseconds(200));
    }
    if (!AtRest()) truth_.Fail(absl::StrCat("it does not come to rest again: ", WhyNotAtRest()));
    Count("view that stayed");
    if (views() != views_before) truth_.Fail("a view changed, but all members stayed");
  }

  // One sends to some of the groups.
  void SendWithKey() {
    const auto at = static_cast<size_t>(random_.Between(0, plan_.keyed_senders - 1));
    std::vector<std::string> groups;
    for (int64_t i = 1; i <= plan_.groups; ++i) {
      if (groups.empty() || random_.OneIn(2)) groups.push_back(absl::StrCat("g", i));
    }
    Trace("a send with a key, and its repeats");
    Count("send with a key that is repeated");
    if (groups.size() > 1) Count("send with a key to several groups");
    keyed_senders_[at]->Send(groups, absl::StrCat("k", ++texts_));
  }

  std::string AnyGroup() { return absl::StrCat("g", random_.Between(1, plan_.groups)); }

  // One client joins very many groups, and sends to each.
  void JoinMany() {
    Trace("a client joins very many groups");
    Count("client in very many groups");
    const auto each = [this](const auto& work) {
      for (int64_t i = 1; i <= plan_.more_groups; ++i) work(absl::StrCat("h", i));
    };
    each([this](const std::string& group) { clients_.front()->Join(group); });
    for (int times = 0; times < 2; ++times) {
      events_.After(random_.Between(absl::ZeroDuration(), absl::Seconds(5)), [this, each] {
        each([this](const std::string& group) {
          clients_.front()->Send(group, absl::StrCat("m", ++texts_), false);
        });
      });
    }
  }

  void Act() {
    SimulatedClient& client = *clients_[static_cast<size_t>(
        random_.Between(0, static_cast<int64_t>(clients_.size()) - 1))];
    const std::string group = AnyGroup();
    switch (random_.Between(0, 19)) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4:
        Trace(absl::StrCat("join ", group));
        Count(left_.contains({&client, group}) ? "join of a group that was left" : "join");
        client.Join(group);
        break;
      case 5:
        Trace(absl::StrCat("leave ", group));
        Count("leave");
        left_.emplace(&client, group);
        someone_left_ |= group == kWatchedGroup;
        client.Leave(group);
        break;
      case 6:
        Count("history read");
        client.ReadHistory(group);
        break;
      case 7: {
        size_t index = 0;
        SimulatedHost* const host = AnyHost(&index);
        if (host == nullptr) break;
        Trace("a bare client joins");
        Count("bare client");
        const std::string text = absl::StrCat("b", ++texts_);
        if (plan_.forgets_publishers()) truth_.MayBeDoubled(group, text);
        bare_.emplace_back(
            index, std::make_unique<BareClient>(group, text, &truth_, host, &result_.delivered));
        break;
      }
      default: {
        const int64_t burst = random_.OneIn(8) ? 30 : 1;
        for (int64_t i = 0; i < burst; ++i) {
          client.Send(group, absl::StrCat("m", ++texts_), random_.OneIn(6));
        }
      }
    }
  }

  void Fault() {
    ++result_.faults;
    const size_t index =
        static_cast<size_t>(random_.Between(0, static_cast<int64_t>(hosts_.size()) - 1));
    Host& host = hosts_[index];
    const auto link = static_cast<Network::LinkName>(random_.Between(0, 2));
    switch (random_.Between(plan_.disk_full ? -1 : 0, 8)) {
      case 0:
        if (host.process != nullptr) KillWorker(index);
        break;
      case 1:
        if (server_ != nullptr) {
          server_->DieAfter(static_cast<int>(random_.Between(0, 20)));
          events_.After(random_.Between(absl::Milliseconds(10), absl::Seconds(1)),
                        [this] { RestartServer(); });
        }
        break;
      case 2:
        if (host.process != nullptr) {
          Trace(absl::StrCat("worker ", index, " stops"));
          Count("worker stopped for a while");
          host.process->worker()->Stop();
          events_.After(random_.Between(absl::ZeroDuration(), absl::Seconds(2)), [this, index] {
            Trace(absl::StrCat("worker ", index, " goes on"));
            if (hosts_[index].process != nullptr) {
              hosts_[index].process->worker()->Continue();
            }
          });
        }
        break;
      case 3:
        if (server_ != nullptr) {
          Trace("server stops");
          Count("server stopped for a while");
          server_->Stop();
          events_.After(random_.Between(absl::ZeroDuration(), absl::Seconds(2)), [this] {
            Trace("server goes on");
            truth_.OnServerDisturbed(events_.Now());
            if (server_ != nullptr) server_->Continue();
          });
        }
        break;
      case -1:
        FillDisk();
        break;
      case 7:
      case 8: {
        Trace("a client is cut");
        const auto at =
            static_cast<size_t>(random_.Between(0, static_cast<int64_t>(clients_.size()) - 1));
        Count("client cut");
        clients_[at]->Cut();
        if (!bare_.empty() && random_.OneIn(2)) bare_.front().second->Cut();
        if (!watchers_.empty() && random_.OneIn(2)) watchers_.front()->Cut();
        break;
      }
      case 4:
        Trace(absl::StrCat("worker ", index, " link ", static_cast<int>(link), " is silent"));
        Count("silent link");
        network_->Silence(host.publisher, link,
                          random_.Between(absl::ZeroDuration(), absl::Seconds(3)));
        break;
      default:
        Trace(absl::StrCat("worker ", index, " link ", static_cast<int>(link), " is cut"));
        network_->Cut(host.publisher, link);
    }
  }

  // The server or a worker is away for very long, while its users continue.
  void BeAbsent() {
    truth_.AllowLosses();
    const absl::Time back = events_.Now() + plan_.absence;
    for (int i = 0; i < 20; ++i) {
      events_.After(random_.Between(absl::ZeroDuration(), plan_.absence + absl::Seconds(2)),
                    [this] { Act(); });
    }
    const auto index =
        static_cast<size_t>(random_.Between(0, static_cast<int64_t>(hosts_.size()) - 1));
    switch (random_.Between(0, 2)) {
      case 0:
        if (server_ == nullptr) break;
        Trace("server is away for long");
        Count("server away for long");
        RestartServer(plan_.absence);
        break;
      case 1:
        if (server_ == nullptr) break;
        Trace("server stops for long");
        Count("server stopped for long");
        server_->Stop();
        for (const Host& host : hosts_) network_->Isolate(host.publisher, back);
        RunUntil(back);
        Trace("server goes on");
        truth_.OnServerDisturbed(events_.Now());
        if (server_ != nullptr) server_->Continue();
        break;
      default:
        if (hosts_[index].process == nullptr) break;
        // (One that stands still for long is killed by its supervisor.)
        Trace(absl::StrCat("worker ", index, " has no network for long"));
        Count("worker isolated for long");
        network_->Isolate(hosts_[index].publisher, back);
    }
    RunUntil(back + absl::Seconds(2));
    // Its log may have lost its first segments by now.
    if (server_ != nullptr && random_.OneIn(2)) RestartServer();
  }

  // It is back after `away`; 0: soon.
  void RestartServer(absl::Duration away = absl::ZeroDuration()) {
    if (server_ == nullptr) return;
    const bool clean = random_.OneIn(4) && !server_->dead();
    if (clean) server_->Close();
    Trace(clean ? "server ends" : "server dies");
    Count(clean ? "server ended" : "server died");
    CountServer();
    server_.reset();
    if (plan_.power_losses && random_.OneIn(2)) LosePower(clean);
    if (away == absl::ZeroDuration()) {
      away = random_.Between(absl::ZeroDuration(), absl::Seconds(1));
    }
    events_.After(away, [this] {
      if (server_ == nullptr) StartServer();
    });
  }

  void LosePower(bool clean) {
    Trace("the power is lost");
    ++boots_;
    Count("power lost");
    const std::string newest = storage_->newest();
    const auto written = static_cast<int64_t>(storage_->contents(newest).size());
    MemoryStorage synced = *storage_;
    synced.LoseUnsynced();
    if (random_.OneIn(2)) {
      storage_->LoseUnsynced();
    } else {
      // The disk has more than the synced bytes, up to any place.
      const auto kept = static_cast<int64_t>(synced.contents(newest).size());
      storage_->CutNewest(static_cast<uint64_t>(random_.Between(kept, written)));
    }
    if (static_cast<int64_t>(storage_->contents(newest).size()) < written) {
      Count("unsynced tail lost");
    }
    if (plan_.server.log.fsync != FsyncMode::kAlways && !clean) tail_may_be_missing_ = true;
  }

  // As the storage does it that syncs at intervals.
  void SyncNowAndThen() {
    storage_->Sync().IgnoreError();
    events_.After(random_.Between(absl::Milliseconds(100), absl::Seconds(2)),
                  [this] { SyncNowAndThen(); });
  }

  void FillDisk() {
    if (!plan_.disk_full || healed_) return;
    Trace("the disk is full");
    Count("full disk");
    storage_->set_bytes_left(static_cast<uint64_t>(random_.Between(0, 300)));
    if (random_.OneIn(3)) storage_->set_can_truncate(false);
    events_.After(random_.Between(absl::Milliseconds(10), absl::Seconds(1)), [this] {
      Trace("the disk has room");
      storage_->set_bytes_left(std::nullopt);
      storage_->set_can_truncate(true);
      if (server_ == nullptr || server_->dead()) RestartServer();
    });
  }

  void Heal() {
    Trace("heals");
    healed_ = true;
    if (storage_.has_value()) {
      storage_->set_bytes_left(std::nullopt);
      storage_->set_can_truncate(true);
    }
    if (server_ != nullptr && server_->dead()) RestartServer();
    RunUntil(events_.Now() + absl::Seconds(4));
  }

  bool AtRest() { return WhyNotAtRest().empty(); }

  std::string WhyNotAtRest() {
    if (server_ == nullptr || server_->dead()) return "no server";
    if (server_->broker().idle_group_count() > plan_.server.broker.idle_groups_max) {
      return "the server remembers more idle groups than it may";
    }
    for (size_t i = 0; i < hosts_.size(); ++i) {
      if (hosts_[i].process == nullptr) return absl::StrCat("worker ", i, " is away");
      if (!hosts_[i].process->worker()->client().connected()) {
        return absl::StrCat("worker ", i, " is not connected");
      }
    }
    for (size_t i = 0; i < clients_.size(); ++i) {
      if (const std::string why = clients_[i]->WhyNotAtRest(server_->broker().epoch());
          !why.empty()) {
        return absl::StrCat("client ", i, ": ", why);
      }
    }
    const std::set<uint64_t> members = Members();
    for (const auto& watcher : watchers_) {
      if (std::string why = watcher->WhyNotAtRest(members); !why.empty()) return why;
    }
    for (const auto& sender : keyed_senders_) {
      if (std::string why = sender->WhyNotAtRest(); !why.empty()) return why;
    }
    for (const auto& [index, bare] : bare_) {
      if (std::string why = bare->WhyNotAtRest(); !why.empty()) return why;
    }
    return "";
  }

  void RunUntil(absl::Time end) {
    while (truth_.failure().empty() && events_.RunNext(end)) Watch();
  }

  void Count(const std::string& what, uint64_t times = 1) {
    if (times > 0) result_.happened[what] += times;
  }

  // Effects of the broker's own work show in its state.
  void Watch() {
    if (server_ == nullptr || server_->dead()) return;
    const Broker& broker = server_->broker();
    const Watched now{.epoch = broker.epoch(),
                      .groups = broker.group_count(),
                      .publishers = broker.publisher_count(),
                      .retained_bytes = broker.retained_bytes()};
    if (now.epoch == watched_.epoch) {
      if (now.groups < watched_.groups) Count("forgotten group");
      if (now.publishers < watched_.publishers) Count("forgotten publisher");
      if (now.retained_bytes < watched_.retained_bytes) Count("expired history");
    }
    watched_ = now;
  }

  void CountServer() {
    if (server_ == nullptr) return;
    const Broker::Counters& counters = server_->broker().counters();
    Count("key used again", counters.same_key);
    Count("number repeated", counters.repeated);
    Count("number out of turn", counters.out_of_turn);
    Count("publication of a stranger", counters.strangers);
    Count("write that failed", counters.failed_writes);
  }

  void CountWorker(const Host& host) {
    if (host.process == nullptr) return;
    const ChannelClient::Counters& counters = host.process->worker()->client().counters();
    Count("repair", counters.repairs);
    Count("gap", counters.gaps);
    Count("resync", counters.resyncs);
    Count("subscription made again", counters.resubscribes);
    Count("window sent again", counters.resends);
    Count("slow consumer", host.process->slow_consumers());
    Count("send that waited for room", host.process->worker()->rooms());
    const GroupService::Counters service = host.process->service().counters();
    Count("recovery", service.recoveries);
    Count("recovery with loss", service.recoveries_lost);
  }

  void CountLosses() {
    const Network::Losses& losses = network_->losses();
    Count("lost publication", losses.publications);
    Count("lost on the subscribe link", losses.live);
    Count("queue to a subscriber full", losses.live_queue_full);
    Count("server waited for a subscriber", losses.live_waits);
    Count("lost subscription", losses.subscriptions);
    Count("lost control frame", losses.control);
    Count("refused control frame", losses.control_refused);
    Count("cut link", losses.cuts);
  }

  void Trace(const std::string& what) {
    if (!trace_) return;
    std::printf("%10.6f %s\n",
                absl::ToDoubleSeconds(events_.Now() - absl::FromUnixSeconds(1'800'000'000)),
                what.c_str());
  }

  struct Watched {
    Epoch epoch{};
    size_t groups = 0;
    size_t publishers = 0;
    size_t retained_bytes = 0;
  };

  EventQueue events_;
  Random random_;
  Random presence_random_;
  const bool trace_;
  WorldResult result_;
  WorldPlan plan_;
  int boots_ = 0;
  // Since the last start of the server, so that the next may begin a new epoch.
  bool tail_may_be_missing_ = false;
  std::optional<MemoryStorage> storage_;
  bool healed_ = false;
  uint64_t texts_ = 0;
  Truth truth_;
  Epoch last_epoch_{};  // of the last server
  Watched watched_;
  std::set<std::pair<const SimulatedClient*, std::string>> left_;
  std::optional<Network> network_;
  std::unique_ptr<SimulatedServer> server_;
  std::vector<Host> hosts_;
  std::vector<std::string> sessions_;
  std::vector<std::unique_ptr<SimulatedClient>> clients_;
  std::vector<std::unique_ptr<KeyedSender>> keyed_senders_;
  std::vector<std::unique_ptr<PresenceWatcher>> watchers_;
  bool someone_left_ = false;  // the watched group, by a command
  std::vector<std::pair<size_t, std::unique_ptr<BareClient>>> bare_;  // with their worker
};

}  // namespace

WorldResult RunWorld(uint64_t seed, bool trace) { return World(seed, trace).Run(); }

}  // namespace groupcast::service::testing
