// quick_start.h - what EAL's start wastes its time on, left out.
#pragma once

namespace pollux {

// While one lives, in its thread: EAL's calibration of the TSC sleeps 2 ms instead of 100 (it
// rounds to 10 MHz, and the stack's clock has its own), and its 4,096 questions which NUMA node has
// which processor are answered without the kernel where there is no such node (4 ms).
class QuickStart {
 public:
  QuickStart();
  QuickStart(const QuickStart&) = delete;
  QuickStart& operator=(const QuickStart&) = delete;
  ~QuickStart();
};

}  // namespace pollux
