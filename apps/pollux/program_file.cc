// program_file.cc - reads a program's ELF header: static, Go, set-user-ID.
#include "apps/pollux/program_file.h"

#include <elf.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <vector>

namespace pollux::tool {
namespace {

template <typename T>
bool read_at(std::ifstream& file, std::uint64_t offset, T& out) {
  file.clear();
  file.seekg(static_cast<std::streamoff>(offset));
  return static_cast<bool>(file.read(reinterpret_cast<char*>(&out), sizeof out));
}

bool has_interpreter(std::ifstream& file, const Elf64_Ehdr& header) {
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    if (!read_at(file, header.e_phoff + i * sizeof segment, segment)) return false;
    if (segment.p_type == PT_INTERP) return true;
  }
  return false;
}

// Go's linker writes a section of this name into every program.
bool is_go(std::ifstream& file, const Elf64_Ehdr& header) {
  Elf64_Shdr names;
  if (header.e_shnum == 0 ||
      !read_at(file, header.e_shoff + header.e_shstrndx * sizeof names, names)) {
    return false;
  }
  std::string text(names.sh_size, '\0');
  file.clear();
  file.seekg(static_cast<std::streamoff>(names.sh_offset));
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  return text.find(".go.buildinfo") != std::string::npos;
}

// "#!/usr/bin/env python3" or "#!/bin/sh -e"
std::string interpreter_of(std::ifstream& file) {
  file.clear();
  file.seekg(2);
  std::string line, first, second;
  std::getline(file, line);
  std::istringstream(line) >> first >> second;
  return first.ends_with("/env") ? find_program(second) : first;
}

}  // namespace

std::string find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return access(name.c_str(), X_OK) == 0 ? name : "";
  const char* path = std::getenv("PATH");
  std::istringstream folders(path ? path : "/usr/local/bin:/usr/bin:/bin");
  for (std::string folder; std::getline(folders, folder, ':');) {
    const std::string file = (folder.empty() ? "." : folder) + "/" + name;
    struct stat status;
    const bool is_file = stat(file.c_str(), &status) == 0 && S_ISREG(status.st_mode);
    if (is_file && access(file.c_str(), X_OK) == 0) return file;
  }
  return "";
}

std::string why_not_preloadable(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  struct stat status;
  if (stat(path.c_str(), &status) == 0 && (status.st_mode & (S_ISUID | S_ISGID)) != 0) {
    return fmt::format("{} is set-user-ID: for such programs the loader ignores LD_PRELOAD", path);
  }
  Elf64_Ehdr header;
  if (!read_at(file, 0, header)) return "";
  if (std::memcmp(&header, "#!", 2) == 0) {
    const std::string interpreter = interpreter_of(file);
    return interpreter.empty() || interpreter == path ? "" : why_not_preloadable(interpreter);
  }
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return "";
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != EM_X86_64) {
    return fmt::format("{} is not for x86-64", path);
  }
  if (is_go(file, header)) {
    return fmt::format("{} is a Go program: it calls the kernel itself, not libc", path);
  }
  if (!has_interpreter(file, header)) {
    return fmt::format("{} is linked statically: there is no libc to stand before", path);
  }
  return "";
}

}  // namespace pollux::tool
