// side_process.h - Side: whoever runs programs; SideProcess: one side in a process of its own.
#pragma once

#include <sys/types.h>

#include <span>
#include <string>
#include <vector>

#include "tests/twin/calls.h"
#include "tests/twin/random/program.h"

namespace pollux::twin {

// What a program showed: one answer for each call until its end.
struct Answers {
  std::vector<std::string> lines;
  std::string end;         // "" if the program ran to its end; otherwise how it ended
  bool by_chance = false;  // two ports were the same without need: it should run once more
};

inline constexpr const char* kHung = "hung";

class Side {
 public:
  virtual ~Side() = default;
  // Two steps, so that two sides work at the same time: every begin() is followed by a finish().
  virtual void begin(const Program& program) = 0;
  virtual Answers finish() = 0;
};

// Programs go in through one pipe, answers come out of another. A process that crashes or hangs is
// one program's end; the next one gets a new process.
class SideProcess final : public Side {
 public:
  SideProcess(const Calls& calls, std::string config) : calls_(calls), config_(std::move(config)) {}
  SideProcess(const SideProcess&) = delete;
  SideProcess& operator=(const SideProcess&) = delete;
  ~SideProcess() override { stop(); }

  void begin(const Program& program) override;
  Answers finish() override;
  void stop();  // the next program starts from nothing

 private:
  void start();
  bool read_lines(Answers& answers);

  const Calls& calls_;
  const std::string config_;
  pid_t pid_ = -1;
  int to_ = -1, from_ = -1;
  std::string text_;  // read and not yet taken
};

}  // namespace pollux::twin
