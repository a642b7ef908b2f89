// spread.h - what a spread does between the start of the stack and its first connection.
#pragma once

// True: go on. In spread_plainly.cc nothing; in tests/nic/wrong_key.cc the card gets another key.
bool before_traffic();
