"""What must never go wrong, row by row, and the tests that bring it about and show what comes of it.

A test is named by its file and function; a class's tests by their class. `python -m tests.simulation` does the
same at length: crash and faults at every point, races of eight processes, real kills.
"""

from __future__ import annotations

# ruff: noqa: E501 - a test is a line

Row = tuple[str, str, list[str]]

BUYING, TROUBLE, DEATHS = "stages/test_fulfilment.py", "stages/test_buying_in_trouble.py", "stages/test_deaths.py"
BILLS, MONEY, BACK = "stages/test_invoicing.py", "stages/test_collecting.py", "stages/test_refunding.py"
REVERSALS, LISTING, HAND = "stages/test_reversals.py", "stages/test_listing.py", "stages/test_by_hand.py"
SOURCING, RUNS, CLI = "stages/test_sourcing.py", "stages/test_sourcing_runs.py", "deployments/test_cli.py"
COURIERS, INBOX, HOOKS = "stages/test_couriers.py", "stages/test_inbox.py", "deployments/test_webhooks.py"
RACED, TELLING, TIME = "flows/test_killed_and_raced.py", "stages/test_telling.py", "stages/test_cycles_in_trouble.py"

ROWS: list[Row] = [
    # buying
    ("B1", "death or silence around an order's creation: one order, found by its number", [
        f"{DEATHS}::test_a_death_at_any_call_of_buying_leaves_one_order_found_again_by_its_number_and_paid_once",
        f"{TROUBLE}::test_whatever_happens_to_the_creation_there_is_one_order_found_again_by_its_number",
        f"{TROUBLE}::test_a_creation_whose_answer_lies_makes_one_order",
    ]),
    ("B2", "invoice.paid twice, or beside the poll, eight workers: one order, one payment at Basta", [
        f"{TROUBLE}::test_invoice_paid_told_in_any_overlap_with_the_poll_brings_one_order_and_one_basta_payment",
        f"{RACED}::test_eight_processes_at_every_step_of_a_lots_life_bring_about_each_effect_once",
        "lots/test_effects.py::test_eight_workers_on_one_effect_act_once",
    ]),
    ("B3", "the pay call lies, either way: the order itself decides", [f"{BUYING}::TestThePayCallLies"]),
    ("B4", "balance short: on hold, told, paid after the top-up", [
        f"{BUYING}::test_a_short_balance_holds_the_order_tells_a_person_and_pays_after_the_top_up",
    ]),
    ("B5", "CJ is ahead of us: caught up hop by hop", [
        f"{BUYING}::test_cj_shows_shipped_while_we_say_ordered_and_every_hop_is_taken",
    ]),
    ("B6", "a guard cannot be read: wait, not order", [
        f"{BUYING}::test_a_guard_that_cannot_be_read_means_wait_not_order",
        f"{BUYING}::test_a_guard_that_cannot_be_read_at_stripe_means_wait_too",
        f"{BUYING}::test_an_answer_that_says_nothing_means_wait_and_gives_no_buyer_the_money_back",
    ]),
    ("B7", "delisted, no stock, stock elsewhere", ["stages/test_gone_or_dear.py::TestOutOfStock"]),
    ("B8", "dearer goods, freight, another country: CJ_PRICE_CHANGED", ["stages/test_gone_or_dear.py::TestDearer"]),
    ("B9", "the order costs other than quoted: compared before it is paid, booked as taken", ["stages/test_amount_differs.py::TestTheAmountDiffers"]),
    ("B10", "a hundred paid lots under a daily cap of $500", [f"{TROUBLE}::TestTheDailyCap"]),
    ("B11", "one lot is refused for ever among many", [f"{TROUBLE}::TestOneLotIsRefusedForEver"]),
    ("B12", "paid or cancelled by hand at CJ: adopted, never repeated", [f"{BUYING}::TestByHandAtCj"]),
    ("B13", "the call takes effect minutes after we gave up: found, nothing twice", [
        f"{TROUBLE}::test_a_call_that_takes_effect_minutes_after_we_gave_up_is_found_and_nothing_happens_twice",
        "lots/test_effects.py::test_an_effect_that_lands_late_is_found_by_the_later_look",
    ]),
    ("B14", "a test key beside a real CJ; a record of another mode or account", [
        f"{BUYING}::TestTestMode",
        f"{CLI}::test_a_database_of_another_mode_is_refused_in_one_sentence",
        "stages/test_two_records.py::test_a_second_record_makes_everything_anew_and_adopts_nothing",
    ]),
    # charging
    ("C1", "death or fault at every call of an invoice, keys forgotten too: one invoice, one exact charge", [
        f"{DEATHS}::test_a_death_at_any_call_of_billing_leaves_one_invoice_all_lines_and_one_exact_charge",
        f"{BILLS}::test_a_fault_in_any_write_to_stripe_ends_in_one_invoice_and_one_charge",
    ]),
    ("C2", "one buyer wins five lots: one invoice, a line each, one mail", [
        f"{BILLS}::test_five_lots_of_one_buyer_make_one_invoice_with_a_line_a_lot_and_one_mail",
        f"{BILLS}::test_the_premium_that_basta_is_set_to_is_a_line_of_its_own",
    ]),
    ("C3", "a lot closes after the invoice went out: a second one for it alone", [
        f"{BILLS}::test_a_lot_that_closes_after_the_invoice_went_out_gets_a_second_one_of_its_own",
    ]),
    ("C4", "no card on file: hosted, mailed", [f"{BILLS}::test_no_card_on_file_means_a_hosted_page_whose_link_is_mailed"]),
    ("C5", "declined, then paid by the buyer or by our own attempt, once", [
        f"{MONEY}::test_declined_and_then_paid_by_the_buyer_is_paid_once",
        f"{MONEY}::test_a_card_that_is_good_again_is_charged_by_our_own_attempt_a_day_later_and_once",
    ]),
    ("C6", "never paid; paid as the deadline strikes; paid after", [
        f"{MONEY}::test_who_never_pays_is_reminded_and_then_the_invoice_is_void_and_the_lot_cancelled",
        f"{MONEY}::test_paid_in_the_second_the_deadline_strikes_is_paid",
        f"{MONEY}::test_money_that_comes_for_a_lot_that_was_given_up_goes_back",
    ]),
    ("C7", "3-D Secure: link mailed, no blind retry", [f"{MONEY}::test_3d_secure_is_mailed_a_link_and_never_tried_again_blindly"]),
    ("C8", "below reserve, no bid, reserve state missing", [
        "stages/test_closing.py::test_what_misses_its_reserve_ends_there_and_costs_nobody_anything",
        "stages/test_closing.py::test_a_closed_lot_without_a_reserve_state_is_not_sold_until_it_is_read_again",
    ]),
    ("C9", "paid from a credit balance, or credited in part or whole: only captured lots are PAID", [
        f"{MONEY}::test_a_credit_balance_that_pays_an_invoice_buys_nothing",
        f"{HAND}::TestCreditedLots",
    ]),
    ("C10", "the operator publishes a sale that we only listed", [f"{HAND}::TestASaleThatWeOnlyListed"]),
    # refunds
    ("R1", "one of three lots cannot be had: its share to the cent", [
        f"{BACK}::test_one_of_three_lots_is_out_of_stock_and_its_share_goes_back_to_the_cent",
        "stages/test_taxing.py::test_one_of_three_taxed_lots_goes_back_with_its_tax_to_the_cent",
    ]),
    ("R2", "death or fault at every call of a refund, or asked twice: refunded once", [
        f"{DEATHS}::test_a_death_at_any_call_of_a_refund_leaves_one_refund_of_the_lots_own_share",
        f"{BACK}::test_whatever_happens_to_the_call_the_buyer_is_refunded_once",
        "stages/test_handling.py::test_a_refund_by_hand_gives_the_lots_own_share_back_once",
    ]),
    ("R3", "the invoice is draft, open, paid, partly paid, void: the right act for each", [f"{BACK}::TestTheRightActForEachInvoice"]),
    ("R4", "CJ cancels a paid order: refunded, told", [
        f"{BACK}::test_cj_cancels_a_paid_order_and_the_buyer_is_refunded_and_the_operator_told",
    ]),
    ("R5", "a refund fails days later: told, never repeated by itself", [
        f"{BACK}::test_a_refund_that_fails_days_later_is_a_persons_and_never_repeated",
        f"{REVERSALS}::TestARefundThatFailsAfterAll",
    ]),
    ("R6", "a dispute, before or after the order, lost or won", [
        f"{REVERSALS}::TestADisputeBeforeTheOrder",
        f"{REVERSALS}::TestADisputeAfterTheOrder",
        f"{REVERSALS}::TestARefundUnderADispute",
    ]),
    ("R7", "no or incomplete address: asked, refunded at the deadline, others unaffected", [f"{BACK}::TestNoAddress"]),
    ("R8", "refunded by hand at Stripe, before or after we ordered", [f"{REVERSALS}::TestRefundedByHand"]),
    # listing
    ("L1", "death or fault anywhere in sourcing: the next run finishes the same sale", [
        f"{LISTING}::test_a_fault_in_any_write_to_basta_ends_in_one_sale_without_a_duplicate_or_an_orphan",
        f"{LISTING}::test_a_death_at_any_write_to_basta_ends_in_one_sale_without_a_duplicate_or_an_orphan",
    ]),
    ("L2", "one of five lots cannot be created", [
        f"{LISTING}::test_one_of_five_lots_that_cannot_be_created_is_cancelled_and_four_are_published",
    ]),
    ("L3", "no picture of a lot can be had", [
        f"{LISTING}::test_when_no_picture_of_a_lot_can_be_had_it_is_removed_and_said_so",
        f"{LISTING}::test_a_sale_without_any_picture_is_not_published_and_is_no_success",
    ]),
    ("L4", "a range of prices: the guard judges the variant bought", [
        f"{SOURCING}::test_a_product_of_9_to_89_dollars_is_judged_by_the_variant_that_can_be_had",
        f"{SOURCING}::test_the_cost_guard_judges_the_variant_that_is_bought_landed",
    ]),
    ("L5", "the same keyword next day: nothing beyond its stock", [
        f"{SOURCING}::test_the_same_keyword_the_next_day_lists_no_variant_beyond_its_stock",
    ]),
    ("L6", "quota at 150, 90, 0, unknown", [f"{SOURCING}::TestQuota"]),
    ("L7", "the day's third run; six products; $51", [
        f"{RUNS}::test_the_third_run_of_a_day_is_refused_and_the_next_day_begins_anew",
        f"{CLI}::test_the_days_third_run_is_refused_in_one_sentence_and_begins_nothing",
        f"{RUNS}::test_six_products_and_an_empty_word_are_refused_and_leave_nothing",
        f"{RUNS}::test_a_cost_above_the_limit_asks_once_and_does_nothing",
        f"{CLI}::test_51_dollars_await_approval_and_nothing_is_done",
    ]),
    ("L8", "abc, nan, -1, a flag without its value: exit 2, one sentence", [f"{CLI}::test_bad_input_is_one_sentence_and_exit_status_2"]),
    ("L9", "the address policy cannot be attached, or is not known", [f"{LISTING}::TestTheAddressPolicy"]),
    ("L10", "30 days on a lifetime quota, ten lots a day, no webhooks", [
        "stages/test_thirty_days.py::test_thirty_days_of_ten_lots_stay_within_a_lifetime_quota_without_a_webhook",
    ]),
    ("L11", "edited, removed or cancelled in Basta's dashboard: adopted, never undone", [f"{HAND}::TestInBastasDashboard"]),
    # webhooks and time
    ("W1", "every webhook lost for good: polling alone", [
        f"{COURIERS}::test_every_lot_reaches_the_same_end_and_nothing_happens_twice",
    ]),
    ("W2", "doubled, shuffled, late, out of order: the same end", [
        f"{COURIERS}::test_every_lot_reaches_the_same_end_and_nothing_happens_twice",
        f"{COURIERS}::test_news_that_come_late_move_nothing_back",
    ]),
    ("W3", "forged, altered, expired, huge, unreadable: refused, no effect, no 5xx", [
        f"{HOOKS}::test_what_is_not_the_vendors_is_refused_without_effect",
        f"{HOOKS}::test_a_signature_of_another_time_is_refused",
        f"{HOOKS}::test_the_vendors_are_not_taken_for_each_other",
        f"{HOOKS}::test_signed_nonsense_is_never_a_crash_and_unsigned_never_accepted",
        f"{HOOKS}::test_ten_thousand_hostile_bodies_have_no_effect_and_make_nothing_fall_over",
        f"{HOOKS}::test_without_a_secret_nothing_is_the_vendors",
        f"{HOOKS}::test_the_beginning_that_every_secret_has_is_no_secret",
        f"{HOOKS}::test_while_a_secret_is_changed_either_signature_holds_and_one_time_is_said_once",
        "deployments/test_listening.py::test_a_line_on_which_no_request_ends_is_cut",
    ]),
    ("W4", "death between answer and work; the database away for a second", [
        f"{COURIERS}::test_a_receiver_killed_between_its_answer_and_the_work_leaves_the_work_in_the_inbox",
        f"{COURIERS}::test_an_event_is_handled_only_after_its_work_is_done",
        "deployments/test_webhooks_without_a_database.py::test_a_file_that_somebody_holds_for_long",
        "deployments/test_webhooks_without_a_database.py::test_a_postgresql_that_is_stopped_and_comes_back",
        "deployments/test_webhooks_without_a_database.py::test_who_only_looks_does_not_wait_behind_those_who_store",
        "deployments/test_webhooks_without_a_database.py::test_what_was_kept_too_late_to_be_answered_wakes_a_cycle_all_the_same",
    ]),
    ("W5", "a vendor hangs: each call has a deadline, the cycle ends in time", [
        f"{TIME}::test_a_vendor_that_hangs_costs_the_cycle_its_budget_and_no_more",
        f"{TIME}::test_forty_lots_do_not_wait_forty_times_for_a_vendor_that_hangs",
        f"{TIME}::test_every_line_to_the_outside_has_a_deadline",
    ]),
    ("W6", "two cycles at once; a killed one leaves its run behind", [
        f"{TIME}::test_a_second_cycle_does_not_start_while_one_runs",
        f"{TIME}::test_a_cycle_that_was_killed_blocks_the_next_ones_for_its_lease_only",
        "flows/test_alerts.py::test_failed_crashed_silent_and_zombie_runs_are_told_by_the_server_alone",
    ]),
    ("W7", "the channel fails, the text is too long, the event is lost", [
        f"{TELLING}::test_a_channel_that_fails_for_an_hour_gets_every_message_once_it_is_back",
        f"{TELLING}::test_a_text_that_is_too_long_loses_its_end_and_never_the_command",
        "flows/test_alerts.py::test_a_lost_event_and_a_channel_that_is_down_delay_it_and_lose_it_not",
    ]),
    ("W8", "everything off for six hours, for two days", [
        "browser/test_without_a_server.py::test_after_two_days_without_a_server_one_cycle_and_one_sourcing_run_do_the_work_and_nobody_is_alarmed",
        "flows/test_running.py::test_of_the_cycles_that_six_hours_piled_up_one_does_the_work",
        "flows/test_running.py::test_of_the_sourcing_runs_that_two_days_piled_up_one_sources",
    ]),
    ("W9", "a backup six hours old is put back", ["stages/test_restoring.py::TestABackupSixHoursOld"]),
    ("W10", "buying is paused in the middle of a cycle", [f"{BUYING}::TestPausedInTheMiddle"]),
]  # fmt: skip
