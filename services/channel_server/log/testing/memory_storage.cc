#include "services/channel_server/log/testing/memory_storage.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace groupcast::service {
namespace {

absl::Status NoFile(absl::string_view name) {
  return absl::NotFoundError(absl::StrCat("there is no ", name));
}

}  // namespace

absl::StatusOr<std::vector<std::string>> MemoryStorage::List() {
  std::vector<std::string> names;
  for (const auto& [name, file] : files_) names.push_back(name);
  return names;
}

absl::StatusOr<std::string> MemoryStorage::Read(const std::string& name) {
  const auto file = files_.find(name);
  if (file == files_.end()) return NoFile(name);
  return file->second.bytes;
}

absl::Status MemoryStorage::Create(const std::string& name, const Pieces& pieces) {
  if (absl::Status status = CutBack(); !status.ok()) return status;
  std::string contents;
  for (std::string piece; pieces(&piece);) contents += piece;
  if (absl::Status status = PutNew(name, contents, /*synced=*/true); !status.ok()) return status;
  current_ = name;
  return absl::OkStatus();
}

absl::Status MemoryStorage::PutNew(const std::string& name, absl::string_view contents,
                                   bool synced) {
  if (bytes_left_.has_value() && contents.size() > *bytes_left_) {
    return absl::ResourceExhaustedError(absl::StrCat("no room for ", name));
  }
  if (bytes_left_.has_value()) *bytes_left_ -= contents.size();
  const bool durable = fsync_ != FsyncMode::kNever;
  files_[name] = {std::string(contents), durable || synced ? contents.size() : 0, durable};
  return absl::OkStatus();
}

void MemoryStorage::BeginCreate(const std::string& name, std::string contents) {
  creation_ = {.name = name, .contents = std::move(contents), .calls_left = create_takes_};
}

std::optional<absl::Status> MemoryStorage::FinishCreate() {
  if (!creation_.has_value() || --creation_->calls_left > 0) return std::nullopt;
  if (!creation_->is_there) {
    const absl::Status status = PutNew(creation_->name, creation_->contents, /*synced=*/false);
    if (!status.ok()) {
      creation_.reset();
      return status;
    }
    creation_->is_there = true;
  }
  if (!CutBack().ok()) return std::nullopt;  // only the newest file may have such an end
  current_ = creation_->name;
  creation_.reset();
  return absl::OkStatus();
}

absl::Status MemoryStorage::Append(absl::string_view bytes) {
  return Append(bytes, /*synced=*/fsync_ == FsyncMode::kAlways);
}

absl::Status MemoryStorage::AppendUnsynced(absl::string_view bytes) {
  return Append(bytes, /*synced=*/false);
}

absl::Status MemoryStorage::Append(absl::string_view bytes, bool synced) {
  const auto found = files_.find(current_);
  if (found == files_.end()) return absl::FailedPreconditionError("no file was created");
  if (absl::Status status = CutBack(); !status.ok()) return status;
  File& file = found->second;
  if (bytes_left_.has_value() && bytes.size() > *bytes_left_) {
    file.bytes.append(bytes.data(), *bytes_left_);
    leftover_ = std::exchange(*bytes_left_, 0);
    CutBack().IgnoreError();  // The next append tries again.
    return absl::ResourceExhaustedError(absl::StrCat("no room in ", current_));
  }
  if (bytes_left_.has_value()) *bytes_left_ -= bytes.size();
  file.bytes.append(bytes.data(), bytes.size());
  if (synced) file.synced = file.bytes.size();
  ++append_count_;
  return absl::OkStatus();
}

absl::Status MemoryStorage::Check() {
  return current_.empty() || files_.contains(current_)
             ? absl::OkStatus()
             : absl::DataLossError(absl::StrCat(current_, " is missing"));
}

absl::Status MemoryStorage::Find(const std::string& name) {
  return files_.contains(name) ? absl::OkStatus() : NoFile(name);
}

absl::Status MemoryStorage::Truncate(const std::string& name, uint64_t size) {
  if (!can_truncate_) return absl::InternalError(absl::StrCat("cannot truncate ", name));
  const auto found = files_.find(name);
  if (found == files_.end()) return NoFile(name);
  File& file = found->second;
  file.bytes.resize(size);
  file.synced = fsync_ == FsyncMode::kNever ? std::min(file.synced, size) : size;
  if (name == current_) leftover_ = 0;
  return absl::OkStatus();
}

absl::Status MemoryStorage::Remove(const std::string& name) {
  return files_.erase(name) == 1 ? absl::OkStatus() : NoFile(name);
}

void MemoryStorage::RemoveLater(const std::string& name) {
  to_remove_.push_back(name);
  RemoveWaiting();
}

void MemoryStorage::set_can_remove(bool can_remove) {
  can_remove_ = can_remove;
  RemoveWaiting();
}

void MemoryStorage::RemoveWaiting() {
  if (can_remove_ && !to_remove_.empty()) Sync().IgnoreError();
  for (; can_remove_ && !to_remove_.empty(); to_remove_.pop_front()) {
    files_.erase(to_remove_.front());
  }
}

absl::Status MemoryStorage::Sync() {
  if (!can_sync_) return absl::InternalError("cannot sync");
  for (auto& [name, file] : files_) {
    file.synced = file.bytes.size();
    file.durable = true;
  }
  return absl::OkStatus();
}

std::string MemoryStorage::Describe(absl::string_view name) const {
  return absl::StrCat("memory/", name);
}

void MemoryStorage::Kill() {
  leftover_ = 0;
  creation_.reset();
  to_remove_.clear();
  current_.clear();
}

void MemoryStorage::LoseUnsynced() {
  Kill();
  for (auto file = files_.begin(); file != files_.end();) {
    if (!file->second.durable) {
      file = files_.erase(file);
      continue;
    }
    file->second.bytes.resize(file->second.synced);
    ++file;
  }
}

void MemoryStorage::CutNewest(uint64_t size) {
  Kill();
  if (files_.empty()) return;
  File& file = files_.rbegin()->second;
  if (size < file.bytes.size()) file.bytes.resize(size);
  file.synced = std::min<uint64_t>(file.synced, file.bytes.size());
}

void MemoryStorage::Corrupt(const std::string& name, uint64_t at, uint8_t bits) {
  char& byte = files_.at(name).bytes.at(at);
  byte = static_cast<char>(byte ^ bits);
}

void MemoryStorage::Put(const std::string& name, std::string contents) {
  const uint64_t size = contents.size();
  files_[name] = {std::move(contents), size, true};
}

absl::string_view MemoryStorage::contents(const std::string& name) const {
  const auto file = files_.find(name);
  return file == files_.end() ? absl::string_view() : absl::string_view(file->second.bytes);
}

absl::Status MemoryStorage::CutBack() {
  if (leftover_ == 0) return absl::OkStatus();
  if (!can_truncate_) return absl::InternalError(absl::StrCat("cannot truncate ", current_));
  std::string& bytes = files_.at(current_).bytes;
  bytes.resize(bytes.size() - leftover_);
  if (bytes_left_.has_value()) *bytes_left_ += leftover_;
  leftover_ = 0;
  return absl::OkStatus();
}

}  // namespace groupcast::service
