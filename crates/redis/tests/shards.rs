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
    "aging::a_job_rises_by_a_level_in_every_span",
    "aging::a_limit_lets_pass_who_is_oldest",
    "aging::a_retried_job_ages_from_its_acceptance",
    "aging::a_shared_queue_goes_by_turns",
    "aging::equals_still_go_in_order_of_submission",
    "aging::it_holds_at_once_and_ends_at_once",
    "aging::levels_are_merged_claim_by_claim",
    "aging::other_queues_do_not_age",
    "aging::the_last_level_waits_nine_spans_and_no_longer",
    "cancel::canceling_one_leaves_the_others",
    "claim::leases_last_as_long_as_each_claim_says",
    "claim::two_claimers_share_the_work",
    "concurrent::a_dropped_submission_is_done_or_not_done",
    "durable::backlogs_of_owners_survive",
    "durable::lines_survive_with_who_waits_in_them",
    "durable::rules_for_submissions_survive",
    "durable::rules_survive_with_who_waits_and_who_holds",
    "durable::the_order_survives",
    "emit::emitted_jobs_come_before_submissions_of_the_same_turn",
    "emit::emitted_jobs_come_in_the_order_of_their_settlements",
    // Limits hold in one shard, and order between shards.
    "expiry::who_expires_gives_its_place_to_the_next",
    "gates::a_burst_goes_at_once_and_the_rest_at_the_rate",
    "gates::a_canceled_job_takes_nobodys_room",
    "gates::a_changed_rate_holds_at_once",
    "gates::a_delayed_job_passes_when_it_is_due",
    "gates::a_freed_slot_is_heard",
    "gates::a_handlers_limit_holds_across_queues",
    "gates::a_hold_at_a_gate_in_order_ends",
    "gates::a_hold_closes_a_gate_with_a_rate",
    "gates::a_hold_where_no_rate_is_does_nothing",
    "gates::a_rate_is_swapped_where_it_is_the_expected_one",
    "gates::a_job_with_two_keys_needs_room_at_both",
    "gates::a_limit_of_zero_lets_nobody_pass",
    "gates::a_full_claim_says_when_to_come_back",
    "gates::a_limited_job_says_when_to_come_back",
    "gates::a_lost_leases_slot_is_free",
    "gates::a_lowered_limit_waits_for_those_that_run",
    "gates::a_new_limit_counts_those_that_run",
    "gates::a_paused_queue_hands_out_nothing",
    "gates::a_raised_limit_lets_more_start",
    "gates::a_rate_and_a_number_hold_together",
    "gates::a_rule_for_a_key_goes_before_its_kind",
    "gates::a_settled_jobs_slot_is_free_in_the_same_turn",
    "gates::a_slot_is_free_however_the_attempt_ends",
    "gates::each_key_of_a_kind_has_its_own_rate",
    "gates::each_key_of_a_kind_has_its_own_slots",
    "gates::edits_change_their_part_only",
    "gates::every_start_counts_a_retry_too",
    "gates::gates_are_listed_by_pages",
    "gates::many_that_may_not_go_do_not_keep_others",
    "gates::many_claimers_at_once_take_no_more_than_may_run",
    "gates::no_more_run_than_a_queue_allows",
    "gates::no_more_run_than_everything_allows",
    "gates::rules_may_change_while_jobs_run",
    "gates::slots_are_told",
    "gates::those_passed_over_count_as_waiting",
    "gates::those_passed_over_keep_their_order",
    "unique::with_a_limit_the_newest_waits_until_the_running_one_has_stopped",
    // Order, again.
    "import::an_id_that_is_here_is_not_imported",
    "import::imported_jobs_are_listed_in_their_order_and_counted",
    "import::imported_jobs_queue_behind_those_that_are_here",
    "in_order::a_newcomer_has_nobodys_room",
    "in_order::a_newcomer_has_nobodys_turn",
    "in_order::a_newcomer_of_a_shared_queue_has_nobodys_room",
    "in_order::jobs_of_a_key_go_in_order",
    "in_order::jobs_that_no_rule_is_for_keep_their_order",
    "in_order::nobody_overtakes_a_job_that_is_tried_again",
    "in_order::nobody_overtakes_a_job_whose_worker_died",
    "in_order::when_a_job_has_failed_for_good_the_next_one_goes",
    "intake::a_batch_leaves_its_last_ones",
    "intake::a_full_queue_stays_full_however_many_submit",
    "intake::a_hold_stops_an_owner",
    "intake::a_refused_job_can_be_submitted_later",
    "intake::a_repeated_submission_is_answered_and_does_not_count",
    "intake::a_turn_that_does_more_asks_too",
    "intake::a_unique_job_counts_and_replaces_nobody_when_refused",
    "intake::a_unique_job_makes_room_too",
    "intake::an_owner_may_submit_so_many_in_a_period",
    "intake::each_owner_has_its_own_rate",
    "intake::an_id_that_comes_twice_counts_once",
    "intake::emitted_jobs_do_not_count",
    "intake::emitted_jobs_drop_nobody_and_are_not_refused",
    "intake::limits_of_owners_are_listed_and_hold_nobody_up",
    "intake::many_submitters_at_once_get_no_more_than_the_rate",
    "intake::one_that_is_not_ready_makes_room",
    "intake::one_makes_room_in_an_overfull_queue",
    "intake::so_many_may_wait_in_a_queue",
    "intake::the_least_urgent_makes_room",
    "intake::the_oldest_makes_room",
    "intake::the_smaller_number_of_two_holds",
    "intake::what_is_said_of_an_owner_goes_before",
    // Limits, again.
    "owner_backlogs::so_many_of_an_owner_may_wait",
    "owner_backlogs::each_owner_is_counted_by_itself",
    "owner_backlogs::what_is_said_of_one_owner_goes_before",
    "owner_backlogs::taken_ids_do_not_count",
    "owner_backlogs::each_job_of_a_batch_has_its_own_answer",
    "owner_backlogs::all_queues_and_delayed_jobs_count_together",
    "owner_backlogs::those_that_move_between_lines_and_gates_count",
    "owner_backlogs::those_that_waited_before_the_rule_count",
    "owner_backlogs::room_comes_back_and_goes_again",
    "owner_backlogs::expired_and_replayed_jobs_count_as_they_stand",
    "owner_backlogs::emitted_and_imported_jobs_count_and_are_not_refused",
    "owner_backlogs::a_rule_that_is_gone_holds_no_more",
    "owner_backlogs::the_oldest_of_the_least_urgent_makes_room",
    "owner_backlogs::one_that_is_not_ready_makes_room_too",
    "owner_backlogs::a_batch_drops_its_own_first_ones",
    "owner_backlogs::nobody_is_dropped_for_a_job_that_is_refused",
    "owner_backlogs::whoever_leaves_the_queue_makes_room_there_too",
    "owner_backlogs::both_may_have_to_make_room",
    "owner_backlogs::a_unique_job_replaces_without_more_room",
    "owner_backlogs::a_unique_job_is_refused_and_leaves_the_other",
    "owner_backlogs::a_turn_that_does_more_counts_too",
    "owner_backlogs::a_full_owner_stays_full_however_many_submit",
    // Order, once more.
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
    "query::of_jobs_submitted_together_the_rest_waits_on",
    "query::pages_are_complete_and_without_duplicates",
    "query::pages_hold_still_while_jobs_come",
    "query::the_list_is_in_order_of_acceptance",
    "submit::a_full_batch_is_stored_whole",
    "turn::a_due_job_goes_before_a_turns_own_jobs",
    "turn::a_turns_own_jobs_beyond_the_limit_wait",
    "turn::a_turns_own_jobs_come_in_the_order_of_a_claim",
    "turn::who_waits_goes_before_a_turns_own_jobs",
    // Lines take turns in each shard, which says little about few jobs.
    "shares::a_changed_weight_holds_for_those_that_wait",
    "shares::a_due_job_joins_its_line",
    "shares::a_flood_does_not_hold_others_up",
    "shares::a_job_in_a_line_is_queued_and_counts_as_waiting",
    "shares::a_limit_leaves_the_share_alone",
    "shares::a_line_in_order_stays_in_order",
    "shares::a_paused_queue_keeps_its_lines",
    "shares::a_queue_that_is_shared_no_more_empties_its_lines",
    "shares::a_sweep_puts_due_jobs_into_their_lines",
    "shares::a_turns_own_jobs_line_up",
    "shares::a_weight_is_so_many_turns_for_one",
    "shares::a_weight_of_a_kind_holds_for_its_keys",
    "shares::an_earlier_queue_goes_first_shared_or_not",
    "shares::an_urgent_job_goes_first_in_its_line",
    "shares::emitted_jobs_line_up",
    "shares::in_a_line_jobs_go_in_order",
    "shares::jobs_without_a_key_are_one_line_more",
    "shares::keys_of_another_kind_do_not_count",
    "shares::keys_take_turns",
    "shares::keys_take_turns_one_by_one_too",
    "shares::limits_hold_in_a_shared_queue",
    "shares::many_keys_share_evenly",
    "shares::nothing_is_saved_up",
    "shares::other_queues_are_first_come_first_served",
    "shares::weights_hold_for_those_with_a_limit",
    "shares::what_a_queue_allows_is_shared",
    "shares::what_waited_before_is_one_line_more",
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
