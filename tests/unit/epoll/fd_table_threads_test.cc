// fd_table_threads_test.cc - lookups without a lock while numbers are closed and reused.
#include <random>
#include <thread>

#include "epoll/fd_table.h"
#include "epoll/kernel_files.h"
#include "tests/support/epoll_fake.h"

namespace pollux {
namespace {

using testing_support::EpollTest;

// V27: a number that is given out anew never leads to a file that is gone.
TEST_F(EpollTest, get_while_others_close_and_install) {
  FdTable table(4);
  std::atomic<bool> done{false};
  std::thread reader([&] {
    std::mt19937 random(7);
    while (!done) {
      if (const FileRef file = table.get(static_cast<int>(random() % 4))) {
        ASSERT_EQ(file->kernel_fd(), 0);  // alive: not a slot that is being given out anew
      }
    }
  });
  std::vector<std::thread> writers;
  for (unsigned seed = 0; seed < 2; ++seed) {
    writers.emplace_back([&, seed] {
      std::mt19937 random(seed);
      for (int i = 0; i < 5'000; ++i) {
        KernelFile* file = *KernelFile::create(0);
        if (!table.install(file, false).ok()) file->put();
        (void)table.close(static_cast<int>(random() % 4)).ok();
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  done = true;
  reader.join();
  for (int i = 0; i < 4; ++i) (void)table.close(i).ok();
  EXPECT_EQ(table.used(), 0u);
}

}  // namespace
}  // namespace pollux
