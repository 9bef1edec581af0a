//! The only list of scenarios. A test compares it with the files, so that none is left out by forgetting it.

/// Hands the list to a macro: `[then] arguments` becomes `then! { [arguments] core area { scenario … } … }`.
#[doc(hidden)]
#[macro_export]
macro_rules! for_each_scenario {
    ([$($then:tt)*] $($argument:tt)*) => {
        $($then)*! {
            [$($argument)*]
            core submit {
                a_new_job_is_created_queued
                a_delayed_job_is_created_scheduled
                the_same_submission_again_is_existing
                a_repetition_changes_nothing
                other_headers_and_trace_are_still_the_same_work
                another_payload_under_the_same_id_is_a_conflict
                another_content_type_under_the_same_id_is_a_conflict
                another_owner_under_the_same_id_is_a_conflict
                another_name_under_the_same_id_is_a_conflict
                other_route_values_under_the_same_id_are_a_conflict
                a_conflict_changes_nothing
                a_finished_job_still_answers_for_its_id
                duplicates_in_one_batch_are_stored_once
                a_conflict_inside_one_batch_is_seen
                one_refusal_does_not_spoil_the_batch
                answers_carry_the_ids_in_order_and_the_stores_now
                an_empty_turn_answers_nothing
                a_full_batch_is_stored_whole
                an_unknown_id_is_no_job
                a_client_may_bring_any_uuid
                the_request_context_is_kept
                one_turn_may_hold_the_same_shared_job_twice
            }
            core claim {
                nothing_to_claim_is_an_empty_answer
                a_claimed_job_is_in_progress
                a_claim_says_all_about_the_attempt
                the_limit_is_respected
                a_limit_of_zero_takes_nothing
                only_named_queues_are_served
                without_queues_nothing_is_claimed
                queue_names_match_whole_and_in_their_case
                more_says_whether_jobs_are_left
                a_claim_that_takes_exactly_all_leaves_no_more
                more_speaks_of_the_claimed_queues_only
                jobs_that_are_not_due_are_not_more
                a_claimed_job_is_not_claimed_again
                two_claimers_share_the_work
                a_job_submitted_in_the_same_turn_is_claimed
                a_turn_settles_submits_and_claims_at_once
                each_claim_has_its_own_lease
                a_claim_carries_what_was_spent_before
                leases_last_as_long_as_each_claim_says
            }
            core turn {
                a_turns_own_jobs_come_in_the_order_of_a_claim
                a_turns_own_jobs_beyond_the_limit_wait
                who_waits_goes_before_a_turns_own_jobs
                a_due_job_goes_before_a_turns_own_jobs
                a_turn_leaves_alone_what_it_does_not_claim
                a_turns_own_jobs_count_for_the_queue_limit
                a_turns_own_job_may_come_twice
                a_turns_own_job_is_a_job_like_any_other
                a_turns_own_job_is_reclaimed_when_its_lease_ends
            }
            core order {
                equals_go_in_order_of_submission
                order_holds_over_many_submissions_and_claims
                lower_levels_go_first
                order_of_submission_decides_inside_a_level
                an_urgent_newcomer_overtakes
                queues_go_in_the_order_of_the_claim
                priority_does_not_reach_across_queues
                a_later_queue_fills_what_is_left_of_the_limit
                a_retried_job_goes_before_newer_ones
                a_released_job_keeps_its_place
                a_reclaimed_job_keeps_its_place
                a_due_job_keeps_the_place_of_its_acceptance
                due_jobs_obey_priority
            }
            core settle {
                a_completed_job_keeps_its_result
                a_completion_is_an_attempt_in_the_history
                a_completion_clears_the_error_before_it
                a_result_may_be_empty
                a_failed_job_is_a_dead_letter
                an_error_keeps_its_code_message_and_causes
                a_finished_job_is_not_claimed_again
                a_snoozed_job_spends_nothing
                a_snoozed_job_comes_back_as_the_same_attempt
                a_released_job_spends_nothing
                a_released_job_is_claimable_in_the_same_turn
                a_stopped_job_is_canceled
                a_repeated_settlement_changes_nothing
                a_repetition_with_another_outcome_changes_nothing
                a_repeated_retry_spends_one_retry
                a_repeated_failure_and_stop_are_known_again
                a_repetition_is_known_long_after_the_lease
                a_repetition_in_one_turn_counts_once
                fates_keep_the_order_of_the_settlements
                one_lost_lease_does_not_spoil_the_turn
                an_unknown_job_has_no_lease
                a_job_that_never_ran_has_no_lease
            }
            core retry {
                a_retried_job_is_scheduled_with_its_error
                a_failed_attempt_is_in_the_history
                a_retry_is_not_claimable_before_it_is_due
                a_retry_is_claimable_exactly_when_due
                a_retry_counts_from_the_settlement
                a_retry_without_delay_is_claimable_in_the_same_turn
                a_retried_job_can_complete
                the_error_stays_visible_while_the_next_attempt_runs
                retries_and_crashes_count_attempts_together
                a_long_history_keeps_the_latest_attempts
                a_very_long_delay_is_kept
            }
            core lease {
                a_settlement_at_the_last_moment_is_accepted
                a_settlement_is_refused_when_the_lease_ends
                a_refused_settlement_changes_nothing
                an_expired_lease_cannot_be_extended
                an_extension_counts_from_now
                an_extension_may_shorten_a_lease
                many_extensions_keep_a_job_alive
                the_lease_of_a_settled_job_is_lost
                the_lease_of_an_unknown_job_is_lost
                settlements_come_before_extensions
                extensions_keep_their_order
                progress_is_visible
                an_extension_without_news_keeps_the_progress
                the_next_attempt_starts_without_progress
                a_completed_job_keeps_its_last_progress
                a_clock_that_goes_back_frees_no_running_job
                a_worker_holds_what_it_was_given
                a_worker_holds_nothing_that_has_ended
                what_a_worker_never_heard_of_is_given_back_and_costs_nothing
            }
            core fencing {
                tokens_rise_with_every_claim
                tokens_rise_over_a_lost_lease
                a_zombie_settles_nothing
                a_zombie_extends_nothing
                a_zombie_cannot_undo_the_holders_result
                a_zombie_emits_nothing
                a_reclaimed_lease_is_lost_before_anybody_else_has_the_job
                a_settled_lease_is_lost_when_the_job_runs_again
                a_guessed_token_is_refused
                a_token_opens_its_own_job_only
                a_quarantined_job_is_out_of_reach
                a_pruned_id_never_sees_an_old_token_again
            }
            core cancel {
                a_queued_job_is_canceled_at_once
                a_canceled_job_is_not_claimable
                a_scheduled_job_is_canceled_and_never_due
                a_dead_letter_can_be_canceled
                a_running_job_is_asked_to_stop
                asking_twice_is_the_same
                a_requested_cancellation_still_extends_the_lease
                a_completed_job_is_too_late_to_cancel
                a_canceled_job_is_too_late_to_cancel
                an_unknown_job_cannot_be_canceled
                a_handler_that_stops_is_canceled
                a_retry_under_cancel_is_canceled
                a_failure_under_cancel_is_canceled
                a_snooze_under_cancel_is_canceled
                a_release_under_cancel_is_canceled
                a_success_under_cancel_is_kept
                a_lost_lease_under_cancel_is_canceled
                the_last_strike_under_cancel_is_canceled_not_poisoned
                a_canceled_job_keeps_its_id
                canceling_one_leaves_the_others
                a_released_lease_leaves_no_request_behind
            }
            core schedule {
                a_delayed_job_is_not_claimable_before_it_is_due
                a_delayed_job_is_claimable_exactly_when_due
                a_job_may_start_at_a_moment
                a_start_in_the_past_is_now
                a_far_future_is_kept
                the_end_of_time_can_be_waited_for
                delays_count_from_the_stores_now
                next_due_says_how_long_to_wait
                next_due_moves_on_when_a_job_becomes_due
                next_due_speaks_of_the_claimed_queues_only
                next_due_is_told_beside_jobs
                next_due_knows_retries
                next_due_forgets_what_is_done
                a_started_job_has_no_schedule_any_more
                due_jobs_beyond_the_limit_are_more
                a_clock_that_goes_back_starts_nothing_early
            }
            core sweep {
                an_idle_sweep_does_nothing
                due_jobs_are_promoted
                promotion_spends_nothing
                a_lost_job_is_ready_again
                a_lost_lease_is_an_attempt_in_the_history
                a_live_lease_is_left_alone
                a_settlement_that_won_the_race_is_not_undone
                finished_jobs_are_never_touched
                sweeping_again_finds_nothing
                a_sweep_of_nothing_does_nothing
                a_sweep_promotes_no_more_than_its_limit
                a_sweep_takes_back_no_more_than_its_limit
                a_full_list_of_one_kind_does_not_starve_the_others
                all_queues_are_swept
            }
            core expiry {
                a_ready_job_expires_at_its_moment
                the_earlier_of_expiry_and_deadline_counts
                a_delayed_job_expires_before_it_is_due
                a_retry_expires_with_its_history
                a_running_job_does_not_expire
                a_job_that_comes_back_too_late_expires
                a_job_that_is_taken_back_too_late_expires
                who_is_canceled_does_not_expire
                who_waits_in_a_paused_queue_expires
                who_is_held_at_a_gate_expires
                who_waits_for_a_turn_expires
                who_expires_gives_its_place_to_the_next
                an_emitted_job_expires
                a_key_is_free_when_its_job_expires
                a_repetition_brings_no_expiry
                a_repetition_puts_no_expiry_off
                a_far_moment_is_kept
                a_sweep_expires_no_more_than_it_may
            }
            core poison {
                a_job_is_quarantined_after_its_last_strike
                a_quarantined_job_is_a_whole_dead_letter
                one_strike_may_be_enough
                failures_are_no_strikes
                a_suspect_is_withheld_without_allowance
                a_suspect_is_handed_out_with_allowance
                no_more_suspects_than_allowed
                others_are_not_held_up_behind_a_suspect
                many_suspects_hide_nobody
                more_is_true_while_suspects_remain
                a_suspect_may_prove_its_innocence
                a_crash_is_remembered_over_retries
            }
            core emit {
                emitted_jobs_appear_with_the_completion
                emitted_jobs_are_claimable_in_the_same_turn
                an_emitted_job_may_be_delayed
                an_emitted_job_waits_in_its_own_queue
                a_repetition_emits_nothing_twice
                a_repetition_with_other_children_emits_none_of_them
                a_refused_completion_emits_nothing
                only_a_completion_emits
                a_retried_parent_emits_when_it_completes
                emitted_jobs_are_exempt_from_the_queue_limit
                an_emitted_id_that_exists_changes_nothing
                a_completion_under_cancel_emits
                emitted_jobs_come_in_the_order_of_their_settlements
                emitted_jobs_come_before_submissions_of_the_same_turn
            }
            core retention {
                completed_jobs_are_kept_for_a_day
                canceled_jobs_are_kept_for_a_day
                dead_letters_are_kept_for_two_weeks
                retention_counts_from_the_end_not_the_beginning
                unfinished_jobs_are_kept_for_ever
                a_pruned_id_is_free_again
                pruning_respects_the_limit
                young_dead_letters_do_not_shield_old_results
            }
            core scope {
                an_owner_sees_the_own_job
                a_stranger_sees_nothing
                a_job_without_owner_is_seen_by_everything_only
                an_owner_cancels_the_own_job
                a_stranger_cancels_nothing
                workers_serve_every_owner
            }
            core gates {
                a_paused_queue_hands_out_nothing
                a_paused_queue_leaves_others_alone
                a_paused_handler_is_passed_over
                a_paused_key_is_passed_over
                a_paused_kind_stops_all_its_keys
                a_pause_of_everything_stops_everything
                a_pause_holds_for_jobs_that_come_later
                what_runs_when_a_pause_comes_may_finish
                a_pause_keeps_its_note
                a_resume_is_heard
                those_passed_over_keep_their_order
                a_job_that_is_passed_over_is_queued_and_spends_nothing
                a_job_that_is_passed_over_may_be_canceled
                a_canceled_job_takes_nobodys_room
                a_hold_at_a_gate_in_order_ends
                those_passed_over_count_as_waiting
                no_more_run_than_a_queue_allows
                no_more_run_than_everything_allows
                a_handlers_limit_holds_across_queues
                each_key_of_a_kind_has_its_own_slots
                a_rule_for_a_key_goes_before_its_kind
                a_settled_jobs_slot_is_free_in_the_same_turn
                a_slot_is_free_however_the_attempt_ends
                a_lost_leases_slot_is_free
                a_job_with_two_keys_needs_room_at_both
                a_raised_limit_lets_more_start
                a_lowered_limit_waits_for_those_that_run
                a_new_limit_counts_those_that_run
                a_limit_of_zero_lets_nobody_pass
                slots_are_told
                a_freed_slot_is_heard
                a_suspect_passes_gates_too
                a_burst_goes_at_once_and_the_rest_at_the_rate
                a_limited_job_says_when_to_come_back
                a_full_claim_says_when_to_come_back
                each_key_of_a_kind_has_its_own_rate
                every_start_counts_a_retry_too
                a_changed_rate_holds_at_once
                a_rate_and_a_number_hold_together
                a_hold_closes_a_gate_with_a_rate
                a_hold_where_no_rate_is_does_nothing
                a_rate_is_swapped_where_it_is_the_expected_one
                many_that_may_not_go_do_not_keep_others
                a_delayed_job_passes_when_it_is_due
                gates_are_listed_by_pages
                edits_change_their_part_only
                many_claimers_at_once_take_no_more_than_may_run
                rules_may_change_while_jobs_run
            }
            core in_order {
                jobs_of_a_key_go_in_order
                nobody_overtakes_a_job_that_is_tried_again
                nobody_overtakes_a_job_whose_worker_died
                when_a_job_has_failed_for_good_the_next_one_goes
                a_newcomer_has_nobodys_turn
                jobs_that_no_rule_is_for_keep_their_order
                a_newcomer_has_nobodys_room
                a_newcomer_of_a_shared_queue_has_nobodys_room
            }
            core intake {
                an_owner_may_submit_so_many_in_a_period
                each_owner_has_its_own_rate
                what_is_said_of_an_owner_goes_before
                a_repeated_submission_is_answered_and_does_not_count
                a_refused_job_can_be_submitted_later
                a_unique_job_counts_and_replaces_nobody_when_refused
                emitted_jobs_do_not_count
                a_turn_that_does_more_asks_too
                a_hold_stops_an_owner
                many_submitters_at_once_get_no_more_than_the_rate
                limits_of_owners_are_listed_and_hold_nobody_up
                so_many_may_wait_in_a_queue
                the_smaller_number_of_two_holds
                the_oldest_makes_room
                the_least_urgent_makes_room
                one_makes_room_in_an_overfull_queue
                an_id_that_comes_twice_counts_once
                a_batch_leaves_its_last_ones
                one_that_is_not_ready_makes_room
                a_unique_job_makes_room_too
                emitted_jobs_drop_nobody_and_are_not_refused
                a_full_queue_stays_full_however_many_submit
            }
            core owner_backlogs {
                so_many_of_an_owner_may_wait
                each_owner_is_counted_by_itself
                what_is_said_of_one_owner_goes_before
                taken_ids_do_not_count
                each_job_of_a_batch_has_its_own_answer
                all_queues_and_delayed_jobs_count_together
                those_that_move_between_lines_and_gates_count
                those_that_waited_before_the_rule_count
                room_comes_back_and_goes_again
                expired_and_replayed_jobs_count_as_they_stand
                emitted_and_imported_jobs_count_and_are_not_refused
                a_rule_that_is_gone_holds_no_more
                the_oldest_of_the_least_urgent_makes_room
                one_that_is_not_ready_makes_room_too
                a_batch_drops_its_own_first_ones
                nobody_is_dropped_for_a_job_that_is_refused
                whoever_leaves_the_queue_makes_room_there_too
                both_may_have_to_make_room
                a_unique_job_replaces_without_more_room
                a_unique_job_is_refused_and_leaves_the_other
                a_turn_that_does_more_counts_too
                a_full_owner_stays_full_however_many_submit
            }
            core aging {
                a_job_rises_by_a_level_in_every_span
                the_last_level_waits_nine_spans_and_no_longer
                equals_still_go_in_order_of_submission
                levels_are_merged_claim_by_claim
                a_retried_job_ages_from_its_acceptance
                it_holds_at_once_and_ends_at_once
                other_queues_do_not_age
                a_limit_lets_pass_who_is_oldest
                a_shared_queue_goes_by_turns
            }
            core shares {
                keys_take_turns
                keys_take_turns_one_by_one_too
                a_flood_does_not_hold_others_up
                nothing_is_saved_up
                in_a_line_jobs_go_in_order
                an_urgent_job_goes_first_in_its_line
                a_weight_is_so_many_turns_for_one
                a_weight_of_a_kind_holds_for_its_keys
                a_changed_weight_holds_for_those_that_wait
                jobs_without_a_key_are_one_line_more
                what_waited_before_is_one_line_more
                keys_of_another_kind_do_not_count
                other_queues_are_first_come_first_served
                an_earlier_queue_goes_first_shared_or_not
                a_queue_that_is_shared_no_more_empties_its_lines
                a_due_job_joins_its_line
                a_sweep_puts_due_jobs_into_their_lines
                a_job_in_a_line_is_queued_and_counts_as_waiting
                a_canceled_job_leaves_its_line
                a_line_that_was_canceled_takes_no_turns
                more_speaks_of_lines
                a_submission_to_a_line_is_heard
                a_turns_own_jobs_line_up
                a_lone_job_of_a_shared_queue_is_taken_in_its_turn
                emitted_jobs_line_up
                a_job_that_comes_back_runs_again
                a_job_whose_worker_died_comes_back
                a_paused_queue_keeps_its_lines
                a_paused_key_is_passed_over_in_its_turn
                limits_hold_in_a_shared_queue
                a_line_in_order_stays_in_order
                lines_that_have_ended_keep_nobody_waiting
                weights_hold_for_those_with_a_limit
                what_a_queue_allows_is_shared
                a_share_is_told
                a_limit_leaves_the_share_alone
                many_keys_share_evenly
            }
            core hints {
                a_submission_wakes_a_subscriber
                every_subscriber_is_woken
                a_cancellation_reaches_the_runner
                a_turn_that_claims_all_it_submits_wakes_nobody
                a_turn_that_leaves_work_wakes_somebody
                an_earlier_due_job_wakes
                emitted_work_wakes
                released_work_wakes
                reclaimed_work_wakes
                a_job_that_a_sweep_makes_ready_wakes
                a_completion_alone_wakes_nobody
            }
            core limits {
                a_full_queue_refuses
                a_refused_job_can_come_again
                a_limit_of_zero_refuses_everything
                scheduled_jobs_count_as_waiting
                running_and_finished_jobs_do_not_count_as_waiting
                each_queue_has_its_own_room
                known_jobs_are_answered_although_the_queue_is_full
                without_a_limit_nothing_is_refused
                room_is_counted_after_sweeps_and_cancellations
                every_field_comes_back_as_submitted
                an_empty_payload_survives
                a_binary_payload_survives
                a_unicode_payload_survives
                odd_json_survives_byte_by_byte
                a_payload_of_a_mebibyte_survives
                the_longest_names_survive
                the_largest_context_survives
                the_largest_error_survives
                progress_survives_with_and_without_words
                a_store_answers_when_asked_whether_it_is_there
            }
            core concurrent {
                one_of_many_submissions_of_an_id_creates_it
                every_job_goes_to_one_claimer
                work_and_submissions_mix_without_loss
                one_of_many_settlements_is_accepted
                a_settlement_and_a_cancellation_agree
                a_settlement_and_a_sweep_agree
                a_settlement_a_sweep_and_a_cancellation_leave_one_end
                a_claim_and_a_cancellation_agree
                many_sweeps_take_each_job_back_once
                a_full_queue_holds_against_many
                many_settlements_emit_each_child_once
                a_dropped_submission_is_done_or_not_done
                a_dropped_claim_comes_back_with_its_lease
                readers_see_whole_jobs
            }
            core unique {
                a_second_one_is_refused_and_told_of_the_first
                other_keys_handlers_and_owners_are_others
                the_key_holds_across_queues_or_within_one
                a_job_that_waits_or_runs_holds_its_key
                the_end_of_a_job_frees_its_key
                a_crash_frees_no_key
                chosen_states_hold_the_key
                a_state_that_is_not_chosen_holds_nothing
                a_throttled_key_is_held_for_its_period_and_no_longer
                a_period_that_is_over_holds_nothing_even_while_the_job_waits
                a_period_outlives_the_job
                an_extended_period_begins_anew
                a_period_that_is_not_extended_counts_from_the_first
                a_waiting_job_is_replaced_and_canceled
                a_running_job_is_not_replaced
                of_a_burst_the_last_runs_when_it_is_over
                a_job_that_came_back_can_be_replaced
                a_suspect_can_be_replaced
                of_one_batch_the_first_stands
                of_one_batch_that_replaces_the_last_stands
                the_same_id_again_is_the_same_job_and_no_duplicate
                a_unique_job_is_kept_whole
                a_unique_job_is_claimed_in_its_own_turn
                an_ended_jobs_key_is_free_in_the_same_turn
                an_emitted_job_is_unique_too
                a_full_queue_refuses_and_the_key_stays_free
                a_replacement_needs_no_room_of_its_own
                a_refused_replacement_leaves_the_standing_one_alone
                the_largest_limit_lets_a_replacement_in
                a_full_queue_elsewhere_leaves_the_standing_one_alone
                of_many_at_once_one_is_stored_and_everyone_told
                of_many_replacements_at_once_one_is_left
                the_same_replacing_job_many_times_at_once_stays
                batches_with_the_same_keys_in_any_order_all_succeed
                a_key_can_be_held_again_and_again
                a_job_replaced_in_its_own_turn_is_not_claimed
                a_running_job_makes_way_and_is_asked_to_stop
                one_that_cancels_running_ones_cancels_waiting_ones_too
                a_running_job_that_made_way_holds_its_key_no_more
                a_running_job_that_made_way_and_crashed_does_not_come_back
                each_of_several_that_run_makes_way_once
                a_running_job_submitted_again_is_not_asked_to_stop
                a_full_queue_leaves_the_running_one_alone
                one_that_ends_in_the_same_turn_is_not_replaced
                a_period_holds_against_those_that_cancel_running_ones
                a_lease_is_extended_in_the_turn_that_asks_to_stop
                an_emitted_job_takes_the_place_of_a_running_one
                many_that_cancel_running_ones_and_work_at_once_leave_one
                with_a_limit_the_newest_waits_until_the_running_one_has_stopped
            }
            optional schedules {
                a_schedule_is_kept_as_it_was_written
                a_state_follows_the_one_it_expects_and_no_other
                a_schedule_is_made_once
                a_schedule_made_anew_has_no_revision_of_its_former_life
                a_removed_schedule_is_gone_and_due_no_more
                jobs_come_with_a_state_that_is_written
                no_jobs_come_with_a_state_that_is_refused
                a_job_that_exists_is_passed_over
                a_full_queue_takes_the_jobs_of_a_tick
                what_is_due_comes_the_earliest_first
                a_schedule_is_due_at_its_moment_and_not_before
                more_that_is_due_than_was_asked_for_is_next
                a_new_state_moves_when_it_is_due
                schedules_are_listed_by_name_and_in_pages
                a_page_of_schedules_has_its_bound
                of_many_who_deal_with_a_tick_one_does
                of_many_who_make_a_schedule_one_does
                a_written_schedule_wakes
                a_ticks_job_wakes
                moments_before_1970_are_due_too
                a_large_record_is_kept_whole
                schedules_survive
                a_job_of_a_tick_expires
            }
            optional query {
                an_empty_store_lists_and_counts_nothing
                counts_know_every_queue_and_status
                counts_are_what_the_list_finds
                counts_follow_sweeps_and_pruning
                nobody_waits_where_nothing_is_ready
                the_oldest_job_waits_since_its_acceptance
                of_jobs_submitted_together_the_rest_waits_on
                the_oldest_job_is_found_in_every_priority
                a_suspect_waits_like_others
                a_delayed_job_and_a_retry_wait_from_when_they_are_due
                who_comes_back_hides_nobody
                who_waits_in_a_paused_queue_gets_older
                who_is_held_at_a_gate_waits_on
                who_was_canceled_at_a_gate_hides_nobody
                who_waits_for_a_turn_waits_too
                nobody_waits_for_less_than_nothing
                a_listed_job_is_the_job
                the_list_is_in_order_of_acceptance
                pages_are_complete_and_without_duplicates
                pages_hold_still_while_jobs_come
                a_page_has_an_upper_limit
                the_last_page_names_no_next
                a_status_filters
                a_queue_and_a_name_filter
                a_filter_counts_its_own_pages
                a_scope_filters
            }
            optional admin {
                a_replayed_job_is_queued_with_its_counters_at_zero
                a_replayed_job_keeps_its_history_and_payload
                a_replayed_job_runs_again_from_the_first_attempt
                tokens_rise_over_a_replay
                a_replayed_poisoned_job_is_no_suspect
                only_dead_letters_are_replayed
                a_replayed_job_that_has_expired_expires_again
                an_unknown_job_is_not_replayed
                a_strangers_dead_letter_is_not_replayed
                a_replayed_job_outlives_its_first_retention
            }
            optional import {
                an_imported_job_is_as_it_stood
                imported_jobs_are_listed_in_their_order_and_counted
                imported_jobs_queue_behind_those_that_are_here
                an_imported_job_goes_on_where_it_was
                an_imported_job_starts_at_its_time
                a_job_that_became_due_on_the_way_starts_at_once
                an_imported_suspect_is_still_suspected
                an_id_that_is_here_is_not_imported
                an_imported_job_answers_for_its_id
                what_runs_or_is_over_is_refused_alone
                a_job_that_contradicts_itself_is_refused
                an_imported_dead_letter_is_kept_from_its_end
                an_imported_dead_letter_is_replayed
                an_imported_job_can_be_canceled
                imported_jobs_take_room_and_need_none
                a_long_history_moves_whole_and_is_trimmed_as_ever
                imported_work_wakes
                nothing_to_import_is_an_empty_answer
                imported_jobs_survive
                an_imported_job_expires
            }
            optional durable {
                jobs_in_every_status_survive
                counts_survive
                the_order_survives
                the_schedule_survives
                rules_survive_with_who_waits_and_who_holds
                rules_for_submissions_survive
                backlogs_of_owners_survive
                lines_survive_with_who_waits_in_them
                tokens_rise_over_a_restart
                a_pruned_jobs_token_is_not_issued_after_a_restart
                a_running_job_is_taken_back_after_a_restart
                a_late_settlement_is_refused_after_a_restart
                a_repeated_settlement_is_known_after_a_restart
                a_repeated_submission_is_known_after_a_restart
                strikes_survive
                a_requested_cancellation_survives
                emitted_jobs_survive_with_their_cause
                an_expiry_survives
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use crate::suite::Entry;

    macro_rules! entries {
        ([] $($kind:ident $area:ident { $($name:ident)* })*) => {
            [$($(Entry { kind: stringify!($kind), area: stringify!($area), name: stringify!($name) }),*),*]
        };
    }

    fn listed() -> Vec<Entry> {
        for_each_scenario!([entries]).to_vec()
    }

    #[test]
    fn there_are_many_scenarios_and_no_two_have_one_name() {
        let entries = listed();
        let names: BTreeSet<_> = entries.iter().map(|entry| entry.name).collect();
        assert!(entries.len() >= 280, "scenarios went missing: {} are left", entries.len());
        assert_eq!(names.len(), entries.len());
    }

    #[test]
    fn most_scenarios_cannot_be_skipped() {
        let core = listed().into_iter().filter(|entry| entry.kind == "core");
        assert!(core.count() >= 240);
    }

    #[test]
    fn every_scenario_in_the_files_is_in_the_list() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/scenarios");
        let mut written = BTreeSet::new();
        for file in std::fs::read_dir(folder).expect("the folder exists") {
            let path = file.expect("readable").path();
            let area = path.file_stem().and_then(|stem| stem.to_str()).expect("a plain name").to_owned();
            let text = std::fs::read_to_string(&path).expect("readable");
            let functions = text.lines().filter_map(|line| line.strip_prefix("pub async fn "));
            written.extend(functions.map(|rest| format!("{area}::{}", rest.split('(').next().unwrap_or_default())));
        }
        assert_eq!(written, listed().iter().map(ToString::to_string).collect());
    }
}
