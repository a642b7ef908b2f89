// free_numbers.h - FreeNumbers: which numbers are in use; finds the lowest free one in four steps.
#pragma once

#include <cstdint>
#include <vector>

namespace pollux {

// A tree of bit maps, 64 children to a word: a bit of level 0 is one number in use, a bit above is
// a word below without a free number. Owned by FdTable and guarded by its lock.
class FreeNumbers {
 public:
  explicit FreeNumbers(std::uint32_t capacity);
  // The lowest free number at or above `from`; capacity when there is none.
  std::uint32_t lowest_free(std::uint32_t from) const;
  bool is_taken(std::uint32_t number) const { return levels_[0][number / 64] >> number % 64 & 1; }
  void take(std::uint32_t number);
  void give_back(std::uint32_t number);

 private:
  using Level = std::vector<std::uint64_t>;
  bool find_in(std::size_t level, std::uint32_t from, std::uint32_t& found) const;

  std::uint32_t capacity_;
  std::vector<Level> levels_;
};

}  // namespace pollux
