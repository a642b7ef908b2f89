// scanner.cc - words, numbers and comments.
#include "tests/packetdrill/scanner.h"

#include <algorithm>
#include <cctype>

namespace pollux::packetdrill {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_of_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

}  // namespace

void Scanner::fail(const std::string& message) const { throw Failure{line_, message}; }

void Scanner::advance(std::size_t n) {
  for (; n > 0 && at_ < text_.size(); --n) {
    if (text_[at_++] == '\n') ++line_;
  }
}

bool Scanner::skip_comment() {
  if (starts("//") || starts("#")) {
    advance(std::min(text_.find('\n', at_), text_.size()) - at_);
    return true;
  }
  if (!starts("/*")) return false;
  const std::size_t end = text_.find("*/", at_);
  if (end == std::string_view::npos) fail("a comment without an end");
  advance(end + 2 - at_);
  return true;
}

void Scanner::skip_blanks() {
  do {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) advance(1);
  } while (at_ < text_.size() && skip_comment());
}

bool Scanner::is_at_end() {
  skip_blanks();
  return at_ == text_.size();
}

char Scanner::peek() { return is_at_end() ? '\0' : text_[at_]; }

bool Scanner::accept(std::string_view token) {
  skip_blanks();
  if (!starts(token)) return false;
  const std::size_t end = at_ + token.size();
  if (is_of_word(token.back()) && end < text_.size() && is_of_word(text_[end])) return false;
  advance(token.size());
  return true;
}

void Scanner::expect(std::string_view token) {
  if (accept(token)) return;
  std::string found(text_.substr(at_, 20));
  found = found.substr(0, found.find('\n'));
  fail("\"" + std::string(token) + "\" is needed before \"" + found + "\"");
}

bool Scanner::is_at_number() {
  const char c = peek();
  return is_digit(c) || (c == '-' && at_ + 1 < text_.size() && is_digit(text_[at_ + 1]));
}

std::int64_t Scanner::number() {
  if (!is_at_number()) fail("a number is needed before \"" + std::string(1, peek()) + "\"");
  const std::string digits(text_.substr(at_, 24));
  char* end = nullptr;
  const bool is_hexadecimal = digits.starts_with("0x");
  const long long value = std::strtoll(digits.c_str(), &end, is_hexadecimal ? 16 : 10);
  advance(static_cast<std::size_t>(end - digits.c_str()));
  return value;
}

// "0...0.2" is 0, three dots, 0.2.
std::int64_t Scanner::seconds() {
  std::int64_t usecs = number() * 1'000'000;
  if (!starts(".") || at_ + 1 >= text_.size() || !is_digit(text_[at_ + 1])) return usecs;
  advance(1);
  for (std::int64_t unit = 100'000; at_ < text_.size() && is_digit(text_[at_]); unit /= 10) {
    usecs += (text_[at_] - '0') * unit;
    advance(1);
  }
  return usecs;
}

std::string Scanner::word() {
  skip_blanks();
  std::size_t end = at_;
  while (end < text_.size() && is_of_word(text_[end])) ++end;
  if (end == at_) fail("a name is needed before \"" + std::string(1, peek()) + "\"");
  std::string found(text_.substr(at_, end - at_));
  advance(end - at_);
  return found;
}

std::string Scanner::quoted() {
  expect("\"");
  const std::size_t end = text_.find('"', at_);
  if (end == std::string_view::npos) fail("a text without an end");
  std::string found(text_.substr(at_, end - at_));
  advance(end + 1 - at_);
  return found;
}

std::string Scanner::run_of(std::string_view set) {
  skip_blanks();
  const std::size_t end = std::min(text_.find_first_not_of(set, at_), text_.size());
  std::string found(text_.substr(at_, end - at_));
  advance(end - at_);
  return found;
}

void Scanner::skip_to(char end) {
  const std::size_t found = text_.find(end, at_);
  if (found == std::string_view::npos) fail(std::string("no \"") + end + "\" follows");
  advance(found + 1 - at_);
}

std::string Scanner::rest_of_line() {
  const std::size_t end = std::min(text_.find('\n', at_), text_.size());
  std::string found(text_.substr(at_, end - at_));
  advance(end - at_);
  while (!found.empty() && std::isspace(static_cast<unsigned char>(found.back()))) found.pop_back();
  return found;
}

std::string Scanner::source() const {
  const std::size_t before = at_ == 0 ? std::string_view::npos : text_.rfind('\n', at_ - 1);
  const std::size_t start = before == std::string_view::npos ? 0 : before + 1;
  return std::string(text_.substr(start, std::min(text_.find('\n', at_), text_.size()) - start));
}

}  // namespace pollux::packetdrill
