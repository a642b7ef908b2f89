// scanner.h - Scanner: the text of a script, taken from the front; knows its line.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tests/packetdrill/script.h"

namespace pollux::packetdrill {

// Everything but line() and source() skips blanks, line ends and comments first.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}
  bool is_at_end();
  char peek();                          // '\0' at the end
  bool accept(std::string_view token);  // a word is not taken off a longer one
  void expect(std::string_view token);
  bool is_at_number();
  std::int64_t number();   // decimal or hexadecimal, perhaps negative
  std::int64_t seconds();  // 1, 0.25; in microseconds
  std::string word();      // letters, digits, underscores
  std::string quoted();    // between quotation marks
  // As long as they are of `set`.
  std::string run_of(std::string_view set);
  void skip_to(char end);  // and past it
  std::string rest_of_line();
  unsigned line() const { return line_; }
  std::string source() const;
  [[noreturn]] void fail(const std::string& message) const;

 private:
  void skip_blanks();
  bool skip_comment();
  void advance(std::size_t n);
  bool starts(std::string_view token) const { return text_.substr(at_).starts_with(token); }

  std::string_view text_;
  std::size_t at_ = 0;
  unsigned line_ = 1;
};

}  // namespace pollux::packetdrill
