// elsewhere.h - the lines of the list of behaviours that no twin case can show, or not all of it.
#pragma once

#include "tests/twin/accounting.h"

namespace pollux::twin {

// The unit tests named here exist: the tidy test looks for them.
inline constexpr Elsewhere kElsewhere[] = {
    {"0.5",
     "an arrival during a transfer: unit test "
     "epoll_0_4_0_5_arrivals_during_the_walk_in_order_of_arrival"},
    {"0.8", "names structures and nothing to see; epoll/README.md has both names of each"},
    {"1.4", "ENFILE is the machine's limit there: unit test sets_run_out_as_enfile"},
    {"2.9", "the limit is the machine's there: unit test epoll_2_9_watch_limit"},
    {"2.15",
     "decided: items come from a pool reserved at start, so ENOSPC is all there is: unit test "
     "epoll_2_9_watch_limit"},
    {"6.2", "the stored mask: unit test epoll_6_1_6_2_one_shot_is_silent_for_everything_after_one"},
    {"7.5", "decided: needs two processes that share one open file"},
    {"8.9",
     "the ten paths of five sets are case 9.14's; the others: unit test "
     "epoll_8_9_limits_by_length"},
    {"9.7", "decided: needs two processes that share one open file"},
    {"9.8", "decided: needs two processes that share one open file"},
    {"9.9", "decided: needs two processes that share one open file"},
    {"11.1",
     "the limit is the machine's there: unit test "
     "epoll_11_1_11_2_watches_are_counted_over_all_sets_and_given_back"},
    {"11.2", "unit test epoll_11_1_11_2_watches_are_counted_over_all_sets_and_given_back"},
    {"11.3", "decided: one process is one user, who makes every set and every call"},
    {"12.1",
     "decided: a library has no /proc; what is stored: unit test "
     "epoll_2_14_err_and_hup_are_always_of_interest"},
    {"12.5", "decided: kcmp(2) compares what the kernel has"},
    {"13.6",
     "how long and when it spins: unit test epoll_13_6_without_busy_polling_it_sleeps_at_once"},
    {"13.7", "unit test epoll_13_7_spins_for_busy_poll_usecs_with_the_budget"},
    {"13.8", "unit test epoll_13_8_after_a_fruitless_spin_it_needs_new_traffic"},
    {"13.9", "unit test epoll_13_9_spins_if_a_socket_wants_it_as_long_as_the_machine_says"},
    {"13.10", "unit test epoll_13_10_a_receive_spins_by_its_sockets_busy_poll"},
    {"13.11", "unit test epoll_13_11_interrupts_are_put_off_for_empty_polls_after_traffic"},
    {"13.12", "unit test epoll_13_12_sleeps_without_interrupts_until_they_resume"},
    {"13.13", "unit test epoll_13_12_13_13_stays_out_until_the_suspension_is_over"},
    {"13.14", "decided: a library has no sysctl files; config/README.md has both keys"},
    {"16.29",
     "needs a router that complains, as tests/interop/errors_test.sh has one for both sides: unit "
     "test icmp_error_ends_a_connect, unit test soft_icmp_error_is_what_the_program_learns"},
    {"16.30",
     "SO_TIMESTAMPING and SO_ZEROCOPY are ENOPROTOOPT; ICMP errors: tests/interop/errors_test.sh, "
     "unit test err_stays_until_the_queue_is_read"},
    {"17.14",
     "needs a stack without memory: unit test "
     "a_writer_without_memory_is_woken_when_there_is_some"},
    {"18.8", "dropped on arrival: unit test every_wrong_bit_is_noticed"},
};

}  // namespace pollux::twin
