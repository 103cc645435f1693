#include "tools/load/saturation_load.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/common/posix.h"
#include "tools/load/channel_link.h"
#include "tools/load/process_cost.h"
#include "tools/load/server_process.h"

namespace groupcast::load {
namespace {

using service::ErrnoStatus;
using service::Fd;
using service::Message;
using service::Position;

constexpr char kGroup[] = "load";

// Longer than a publication waits for its answer.
constexpr absl::Duration kPatience = absl::Seconds(60);

// How long a message is waited for that does not come, when all were answered.
constexpr absl::Duration kSilence = absl::Seconds(3);

// A publisher that has published all that was due, or has no room, looks again after this.
constexpr absl::Duration kTurn = absl::Milliseconds(1);

// At most so many leave in one turn, so that answers are taken in between.
constexpr int64_t kBurst = 1'000;

// Of so many answers one is timed, which costs memory.
constexpr int64_t kTimedEvery = 32;

// What a publisher tells the process that has started it, through a pipe.
struct PublisherReport {
  int64_t accepted = 0;
  int64_t refused = 0;
  int64_t accepted_measured = 0;
  double full_s = 0;
  double answered_p50_s = 0;
  double answered_p99_s = 0;
};

// The moments of a run, by the clock of the machine.
struct Schedule {
  absl::Time begin;
  absl::Time measure;
  absl::Time end;
};

// Takes no messages.
class Deaf final : public service::ChannelListener {
 public:
  void OnSubscribed(absl::string_view, const Position&) override {}
  void OnMessage(const Message&) override {}
  void OnGap(absl::string_view, const service::Gap&) override {}
  void OnConnectionState(bool) override {}
  void OnRoom() override {}
  void OnMisconfigured(const absl::Status&) override {}
};

class Publisher {
 public:
  // `per_second`: its own part; 0: as much as the window takes.
  Publisher(ChannelLink* link, double per_second, size_t message_bytes)
      : link_(link), per_second_(per_second), message_(message_bytes, 'x') {}

  // False: not all were answered.
  bool Run(const Schedule& schedule);
  PublisherReport Report();

 private:
  void PublishOne();

  ChannelLink* const link_;
  const double per_second_;
  const std::string message_;
  bool measuring_ = false;
  int64_t published_ = 0;
  absl::Duration full_;
  std::vector<absl::Duration> answered_;  // times of some of those that were measured
  PublisherReport report_;
};

bool Publisher::Run(const Schedule& schedule) {
  absl::Time now = absl::Now();
  while (now < schedule.end) {
    measuring_ = now >= schedule.measure;
    const double seconds = absl::ToDoubleSeconds(now - schedule.begin);
    const int64_t due = per_second_ > 0 ? static_cast<int64_t>(seconds * per_second_)
                                        : std::numeric_limits<int64_t>::max();
    const int64_t burst_end = std::min(due, published_ + kBurst);
    const service::PublicationsSize one{.bytes = sizeof(kGroup) + message_.size()};
    while (published_ < burst_end && link_->channel().HasRoomFor(one)) PublishOne();
    const bool full = published_ < burst_end;
    link_->RunOnce(published_ < due && !full ? absl::ZeroDuration() : kTurn);
    const absl::Time after = std::min(absl::Now(), schedule.end);
    if (full) full_ += after - std::clamp(schedule.measure, now, after);
    now = after;
  }
  measuring_ = false;
  return link_->RunUntil([&] { return report_.accepted + report_.refused == published_; },
                         kPatience);
}

void Publisher::PublishOne() {
  const bool timed = published_ % kTimedEvery == 0;
  ++published_;
  const absl::Time at = timed ? absl::Now() : absl::InfinitePast();
  link_->channel().Publish({.group_id = kGroup, .content = {.data = message_}},
                           [this, at](const absl::StatusOr<Position>& place) {
                             ++(place.ok() ? report_.accepted : report_.refused);
                             if (!measuring_ || !place.ok()) return;
                             ++report_.accepted_measured;
                             if (at != absl::InfinitePast()) answered_.push_back(absl::Now() - at);
                           });
}

PublisherReport Publisher::Report() {
  report_.full_s = absl::ToDoubleSeconds(full_);
  std::sort(answered_.begin(), answered_.end());
  if (!answered_.empty()) {
    report_.answered_p50_s = absl::ToDoubleSeconds(answered_[answered_.size() / 2]);
    report_.answered_p99_s = absl::ToDoubleSeconds(answered_[answered_.size() * 99 / 100]);
  }
  return report_;
}

// One that runs in a process of its own, which does not outlive this object.
class PublisherProcess {
 public:
  static absl::StatusOr<std::unique_ptr<PublisherProcess>> Start(uint16_t port,
                                                                 const SaturationOptions& options);
  ~PublisherProcess();

  // Waits until it is connected.
  absl::Status WaitUntilReady();
  absl::Status Begin(const Schedule& schedule);
  // What has come of it; kUnavailable: it is not done.
  absl::StatusOr<PublisherReport> Result();

 private:
  PublisherProcess() = default;

  // The child's side, until its end. False: it could not do all.
  static bool Live(uint16_t port, const SaturationOptions& options, int orders, int reports);

  pid_t pid_ = -1;
  Fd orders_;
  Fd reports_;
};

template <typename Value>
bool ReadWhole(int fd, Value* value) {
  return read(fd, value, sizeof(*value)) == static_cast<ssize_t>(sizeof(*value));
}

template <typename Value>
bool WriteWhole(int fd, const Value& value) {
  return write(fd, &value, sizeof(value)) == static_cast<ssize_t>(sizeof(value));
}

absl::StatusOr<std::unique_ptr<PublisherProcess>> PublisherProcess::Start(
    uint16_t port, const SaturationOptions& options) {
  int orders[2];
  int reports[2];
  if (pipe2(orders, O_CLOEXEC) != 0) return ErrnoStatus("pipe2");
  const Fd orders_end(orders[0]);
  std::unique_ptr<PublisherProcess> process(new PublisherProcess());
  process->orders_ = Fd(orders[1]);
  if (pipe2(reports, O_CLOEXEC) != 0) return ErrnoStatus("pipe2");
  process->reports_ = Fd(reports[0]);
  const Fd reports_end(reports[1]);
  const pid_t parent = getpid();
  process->pid_ = fork();
  if (process->pid_ < 0) return ErrnoStatus("fork");
  if (process->pid_ > 0) return process;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);  // it died before the line above was reached
  _exit(Live(port, options, orders_end.get(), reports_end.get()) ? 0 : 1);
}

PublisherProcess::~PublisherProcess() {
  if (pid_ < 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

bool PublisherProcess::Live(uint16_t port, const SaturationOptions& options, int orders,
                            int reports) {
  Deaf deaf;
  absl::StatusOr<std::unique_ptr<ChannelLink>> link = ChannelLink::Open(port, &deaf);
  Schedule schedule;
  if (!link.ok() || !WriteWhole(reports, true) || !ReadWhole(orders, &schedule)) return false;
  Publisher publisher(link->get(), options.per_second / options.publishers, options.message_bytes);
  return publisher.Run(schedule) && WriteWhole(reports, publisher.Report());
}

absl::Status PublisherProcess::WaitUntilReady() {
  bool ready = false;
  if (ReadWhole(reports_.get(), &ready)) return absl::OkStatus();
  return absl::UnavailableError("a publisher found no channel server");
}

absl::Status PublisherProcess::Begin(const Schedule& schedule) {
  if (!WriteWhole(orders_.get(), schedule)) return ErrnoStatus("write");
  fcntl(reports_.get(), F_SETFL, O_NONBLOCK);
  return absl::OkStatus();
}

absl::StatusOr<PublisherReport> PublisherProcess::Result() {
  PublisherReport report;
  const ssize_t count = read(reports_.get(), &report, sizeof(report));
  if (count == static_cast<ssize_t>(sizeof(report))) return report;
  if (count < 0 && errno == EAGAIN) return absl::UnavailableError("it is not done");
  return absl::DeadlineExceededError("a publisher's publications were not all answered");
}

// Checks that messages come as a chain.
class Subscriber final : public service::ChannelListener {
 public:
  void OnSubscribed(absl::string_view, const Position& head) override {
    announced = true;
    last_ = head.offset;
  }
  void OnMessage(const Message& message) override {
    ++delivered;
    if (message.previous != last_ || message.offset <= last_) ++broken;
    last_ = message.offset;
  }
  void OnGap(absl::string_view, const service::Gap& gap) override {
    ++gaps;
    last_ = gap.to.offset;
  }
  void OnConnectionState(bool) override {}
  void OnRoom() override {}
  void OnMisconfigured(const absl::Status&) override {}

  bool announced = false;
  int64_t delivered = 0;
  int64_t broken = 0;
  int64_t gaps = 0;

 private:
  uint64_t last_ = 0;
};

// Runs the link until that moment.
void RunUntilTime(absl::Time time, ChannelLink* link) {
  while (absl::Now() < time) {
    link->RunOnce(std::clamp(time - absl::Now(), absl::ZeroDuration(), absl::Milliseconds(10)));
  }
}

using Publishers = std::vector<std::unique_ptr<PublisherProcess>>;

absl::StatusOr<Publishers> StartPublishers(uint16_t port, const SaturationOptions& options) {
  Publishers publishers;
  for (int i = 0; i < options.publishers; ++i) {
    auto publisher = PublisherProcess::Start(port, options);
    if (!publisher.ok()) return publisher.status();
    publishers.push_back(*std::move(publisher));
  }
  for (const auto& publisher : publishers) {
    if (absl::Status status = publisher->WaitUntilReady(); !status.ok()) return status;
  }
  return publishers;
}

// Takes what comes meanwhile.
absl::StatusOr<PublisherReport> WaitForResult(PublisherProcess* publisher, ChannelLink* link) {
  absl::StatusOr<PublisherReport> report = publisher->Result();
  while (absl::IsUnavailable(report.status())) {
    link->RunOnce(absl::Milliseconds(10));
    report = publisher->Result();
  }
  return report;
}

// Until so many came, or nothing more does.
void WaitForMessages(int64_t count, const Subscriber& subscriber, ChannelLink* link) {
  int64_t seen = subscriber.delivered;
  absl::Time progressed = absl::Now();
  while (subscriber.delivered < count && absl::Now() - progressed < kSilence) {
    link->RunOnce(absl::Milliseconds(10));
    if (subscriber.delivered == seen) continue;
    seen = subscriber.delivered;
    progressed = absl::Now();
  }
}

}  // namespace

absl::StatusOr<SaturationResult> MeasureSaturation(const SaturationOptions& options) {
  ServerProcess server(options.channel_server, options.directory, "channel_server");
  if (absl::Status status = server.Start({"--port=0"}); !status.ok()) return status;
  const absl::StatusOr<uint16_t> port = server.WaitUntilReady();
  if (!port.ok()) return port.status();
  // Before this process has threads: ZeroMQ makes some.
  const absl::StatusOr<Publishers> publishers = StartPublishers(*port, options);
  if (!publishers.ok()) return publishers.status();
  Subscriber subscriber;
  const absl::StatusOr<std::unique_ptr<ChannelLink>> link = ChannelLink::Open(*port, &subscriber);
  if (!link.ok()) return link.status();
  (*link)->channel().Subscribe(kGroup);
  if (!(*link)->RunUntil([&] { return subscriber.announced; }, kPatience)) {
    return absl::DeadlineExceededError("no announcement");
  }

  Schedule schedule;
  schedule.begin = absl::Now();
  schedule.measure = schedule.begin + options.warm_up;
  schedule.end = schedule.measure + options.measured;
  for (const auto& publisher : *publishers) {
    if (absl::Status status = publisher->Begin(schedule); !status.ok()) return status;
  }
  const std::vector<pid_t> processes = {server.pid()};
  RunUntilTime(schedule.measure, link->get());
  const absl::Time began = absl::Now();
  const absl::Duration cpu_before = CpuTime(processes);
  const int64_t delivered_before = subscriber.delivered;
  RunUntilTime(schedule.end, link->get());
  const double seconds = absl::ToDoubleSeconds(absl::Now() - began);
  SaturationResult result;
  result.server_cores = absl::ToDoubleSeconds(CpuTime(processes) - cpu_before) / seconds;
  result.delivered_per_second =
      static_cast<double>(subscriber.delivered - delivered_before) / seconds;

  const double measured_s = absl::ToDoubleSeconds(options.measured);
  for (const auto& publisher : *publishers) {
    const absl::StatusOr<PublisherReport> report = WaitForResult(publisher.get(), link->get());
    if (!report.ok()) return report.status();
    result.accepted += report->accepted;
    result.refused += report->refused;
    result.accepted_per_second += static_cast<double>(report->accepted_measured) / measured_s;
    result.window_full += report->full_s / measured_s / options.publishers;
    result.answered_p50 = std::max(result.answered_p50, absl::Seconds(report->answered_p50_s));
    result.answered_p99 = std::max(result.answered_p99, absl::Seconds(report->answered_p99_s));
  }
  WaitForMessages(result.accepted, subscriber, link->get());
  result.delivered = subscriber.delivered;
  result.lost = result.accepted - result.delivered;
  result.gaps = subscriber.gaps;
  result.broken = subscriber.broken;
  result.repairs = static_cast<int64_t>((*link)->channel().counters().repairs);
  return result;
}

}  // namespace groupcast::load
