// free_numbers.cc - FreeNumbers: climb until a word has room, then descend along its lowest zeros.
#include "epoll/free_numbers.h"

#include <bit>

namespace pollux {
namespace {
constexpr std::uint64_t kFull = ~std::uint64_t{0};
}

FreeNumbers::FreeNumbers(std::uint32_t capacity) : capacity_(capacity) {
  std::size_t bits = capacity;
  do {
    const std::size_t words = (bits + 63) / 64;
    levels_.emplace_back(words);
    if (bits % 64 != 0) levels_.back().back() = kFull << bits % 64;  // beyond the end: never free
    bits = words;
  } while (bits > 1);
}

std::uint32_t FreeNumbers::lowest_free(std::uint32_t from) const {
  std::uint32_t position = from;
  for (std::size_t level = 0; level < levels_.size(); ++level) {
    if (!find_in(level, position, position)) {
      position = position / 64 + 1;
      continue;
    }
    while (level > 0) {
      --level;
      const std::uint64_t word = levels_[level][position];
      position = position * 64 + static_cast<std::uint32_t>(std::countr_one(word));
    }
    return position;
  }
  return capacity_;
}

// A zero bit at or above `from` in the same word.
bool FreeNumbers::find_in(std::size_t level, std::uint32_t from, std::uint32_t& found) const {
  const Level& words = levels_[level];
  const std::uint32_t index = from / 64;
  if (index >= words.size()) return false;
  const std::uint64_t taken = words[index] | ((std::uint64_t{1} << from % 64) - 1);
  if (taken == kFull) return false;
  found = index * 64 + static_cast<std::uint32_t>(std::countr_one(taken));
  return true;
}

void FreeNumbers::take(std::uint32_t number) {
  for (Level& words : levels_) {
    std::uint64_t& word = words[number / 64];
    word |= std::uint64_t{1} << number % 64;
    if (word != kFull) return;
    number /= 64;
  }
}

void FreeNumbers::give_back(std::uint32_t number) {
  for (Level& words : levels_) {
    std::uint64_t& word = words[number / 64];
    const bool was_full = word == kFull;
    word &= ~(std::uint64_t{1} << number % 64);
    if (!was_full) return;
    number /= 64;
  }
}

}  // namespace pollux
