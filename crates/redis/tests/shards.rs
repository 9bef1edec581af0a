//! A store spread among shards keeps the promises of the seam, on a cluster of three whose nodes its shards share, but for
//! those about what is in different shards: order, and the exact number of jobs that may wait.

mod prefixes;

use std::sync::OnceLock;

use prefixes::Prefixes;
use windlass_redis::{Redis, RedisOptions};
use windlass_testkit::servers::RedisCluster;

/// One cluster for all scenarios, which the system ends with this process.
static CLUSTER: OnceLock<RedisCluster> = OnceLock::new();

/// Each of them is about jobs in different shards.
const EXCUSED: &[&str] = &[
    // Order, between shards.
    "cancel::canceling_one_leaves_the_others",
    "claim::leases_last_as_long_as_each_claim_says",
    "claim::two_claimers_share_the_work",
    "concurrent::a_dropped_submission_is_done_or_not_done",
    "durable::the_order_survives",
    "emit::emitted_jobs_come_before_submissions_of_the_same_turn",
    "emit::emitted_jobs_come_in_the_order_of_their_settlements",
    "import::an_id_that_is_here_is_not_imported",
    "import::imported_jobs_are_listed_in_their_order_and_counted",
    "import::imported_jobs_queue_behind_those_that_are_here",
    "order::a_due_job_keeps_the_place_of_its_acceptance",
    "order::a_later_queue_fills_what_is_left_of_the_limit",
    "order::a_reclaimed_job_keeps_its_place",
    "order::a_released_job_keeps_its_place",
    "order::a_retried_job_goes_before_newer_ones",
    "order::an_urgent_newcomer_overtakes",
    "order::due_jobs_obey_priority",
    "order::equals_go_in_order_of_submission",
    "order::order_holds_over_many_submissions_and_claims",
    "order::order_of_submission_decides_inside_a_level",
    "order::priority_does_not_reach_across_queues",
    "poison::no_more_suspects_than_allowed",
    "poison::others_are_not_held_up_behind_a_suspect",
    "query::a_filter_counts_its_own_pages",
    "query::a_queue_and_a_name_filter",
    "query::a_scope_filters",
    "query::pages_are_complete_and_without_duplicates",
    "query::pages_hold_still_while_jobs_come",
    "query::the_list_is_in_order_of_acceptance",
    "submit::a_full_batch_is_stored_whole",
    "turn::a_due_job_goes_before_a_turns_own_jobs",
    "turn::a_turns_own_jobs_beyond_the_limit_wait",
    "turn::a_turns_own_jobs_come_in_the_order_of_a_claim",
    "turn::who_waits_goes_before_a_turns_own_jobs",
    // How many jobs may wait, which is shared out.
    "concurrent::a_full_queue_holds_against_many",
    "import::imported_jobs_take_room_and_need_none",
    "limits::a_full_queue_refuses",
    "limits::a_refused_job_can_come_again",
    "limits::each_queue_has_its_own_room",
    "limits::known_jobs_are_answered_although_the_queue_is_full",
    "limits::room_is_counted_after_sweeps_and_cancellations",
    "limits::scheduled_jobs_count_as_waiting",
    "turn::a_turns_own_jobs_count_for_the_queue_limit",
    // A turn that claims what it submits, which is two round trips here.
    "hints::a_turn_that_claims_all_it_submits_wakes_nobody",
    // That nothing is heard: hints of one node come over another's answers.
    "hints::a_completion_alone_wakes_nobody",
];

fn on_the_cluster() -> (RedisOptions, String) {
    let cluster = CLUSTER.get_or_init(|| RedisCluster::start().expect("a cluster"));
    (Redis::options().shards(5), cluster.url())
}

windlass_testkit::for_each_scenario!([windlass_testkit::conformance_tests] Prefixes(on_the_cluster, EXCUSED));

macro_rules! names {
    ([] $($kind:ident $area:ident { $($name:ident)* })*) => {
        [$($(concat!(stringify!($area), "::", stringify!($name))),*),*]
    };
}

#[test]
fn what_is_excused_is_in_the_list() {
    let names = windlass_testkit::for_each_scenario!([names]);
    assert!(EXCUSED.iter().all(|excused| names.contains(excused)));
}
