// datagram_queue.cc - notes in head rooms, datagrams linked by them.
#include "stack/socket/datagram_queue.h"

#include <cstring>

namespace pollux {
namespace {

DatagramNote note_of(const TextNode* text) {
  DatagramNote note;
  std::memcpy(&note, text->data, sizeof note);
  return note;
}

void set_note(TextNode* text, const DatagramNote& note) {
  std::memcpy(text->data, &note, sizeof note);
}

}  // namespace

bool DatagramQueue::push(Packet packet, DatagramNote note) {
  if (packet.mbuf()->data_off < sizeof note) return false;
  note.next = nullptr;
  note.length = packet.size();
  packet.push(sizeof note);
  TextNode* text = std::move(packet).into_text().detach();
  set_note(text, note);
  for (const TextNode* t = text; t; t = t->next) true_size_ += t->true_size;
  if (tail_) {
    DatagramNote before = note_of(tail_);
    before.next = text;
    set_note(tail_, before);
  } else {
    head_ = text;
  }
  tail_ = text;
  return true;
}

DatagramQueue::Front DatagramQueue::front() const {
  CHECK(head_ != nullptr);
  return {note_of(head_), head_};
}

void DatagramQueue::pop() {
  CHECK(head_ != nullptr);
  TextNode* text = head_;
  head_ = note_of(text).next;
  if (!head_) tail_ = nullptr;
  while (text) {
    TextNode* next = text->next;
    CHECK(true_size_ >= text->true_size);
    true_size_ -= text->true_size;
    text->release(text);
    text = next;
  }
}

void DatagramQueue::clear() {
  while (!empty()) pop();
}

}  // namespace pollux
