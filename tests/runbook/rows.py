"""What the operator was promised: every row of the original runbook, what of it must stand in ours, and its tests.

A row is (what it was, words that stand in one line of ours, the tests that make its cause happen and show the rest).
"""

from __future__ import annotations

# ruff: noqa: E501 - a row is a line

Row = tuple[str, ...]

STAGES = "tests/stages"
PAGE = "tests/deployments/test_status_page.py"
CLI = "tests/deployments/test_cli.py"

CHECKLIST: list[Row] = [
    (
        "Check pipeline dashboard",
        "Check the pipeline | `pipeline status`",
        f"{CLI}::test_a_pause_is_shown_on_top_and_ends",
        f"{PAGE}::test_lots_that_are_stuck_or_failed_are_named_with_the_reason_and_what_comes_next",
        f"{PAGE}::test_failed_invoices_refunds_and_lots_that_lose_are_named",
    ),
    (
        "Check CJ API quota",
        "below 200 is a warning, below 100 critical",
        f"{PAGE}::test_the_quota_stands_at_the_bottom_with_its_age_yellow_below_200_and_red_below_100",
    ),
    ("Check storefront inventory", "storefront empty", f"{PAGE}::test_an_empty_storefront_is_named"),
    (
        "Check keyword rotation",
        "Check the keyword rotation | `pipeline keywords list`",
        f"{CLI}::test_the_rotation_is_kept_and_shown",
    ),
    (
        "Check Vercel cron logs",
        "Check the runs | the Prefect UI",
        "tests/browser/test_ui.py::test_runs_bear_names_that_a_person_can_read_and_tags",
        "tests/browser/test_ui.py::test_a_failed_lot_is_a_red_task_and_the_others_are_green",
        "tests/flows/test_setup.py::test_setup_makes_everything_and_the_doctor_sees_what_is_spoilt_afterwards",
    ),
    (
        "Spot-check Stripe",
        "Spot-check Stripe",
        f"{PAGE}::test_failed_invoices_refunds_and_lots_that_lose_are_named",
        f"{STAGES}/test_reconciling.py::test_all_kinds_of_money_tie_to_the_cent_and_nothing_is_told",
        f"{STAGES}/test_reconciling.py::test_a_cent_that_is_booked_wrongly_is_a_difference_and_a_critical_incident",
    ),
]

SYMPTOMS: list[Row] = [
    (
        "Lot stuck in AUCTION_CLOSED for >1 hour",
        "A lot is AUCTION_CLOSED for over 1 hour",
        f"{STAGES}/test_guarding.py::test_a_buyer_who_has_days_to_pay_is_not_stuck",
        f"{STAGES}/test_handling.py::test_a_lots_story_tells_what_happened_why_it_waits_and_what_comes_next",
        f"{PAGE}::test_lots_that_are_stuck_or_failed_are_named_with_the_reason_and_what_comes_next",
    ),
    (
        "Lot stuck in PAID for >1 hour",
        "A lot is PAID for over 1 hour",
        f"{STAGES}/test_refunding.py::test_the_lot_waits_and_its_buyer_is_asked_once",
        f"{STAGES}/test_fulfilment.py::test_a_guard_that_cannot_be_read_means_wait_not_order",
        f"{STAGES}/test_handling.py::test_a_retry_ends_a_backoff_and_the_next_cycle_tries_now",
    ),
    (
        "Lot stuck in CJ_ORDERED for >4 hours",
        "A lot is CJ_ORDERED for over 4 hours",
        f"{STAGES}/test_fulfilment.py::test_a_payment_made_by_hand_is_adopted_and_never_repeated",
        f"{STAGES}/test_fulfilment.py::test_a_short_balance_holds_the_order_tells_a_person_and_pays_after_the_top_up",
        f"{STAGES}/test_guarding.py::test_an_order_that_nobody_pays_is_told_after_four_hours_and_louder_after_eight",
    ),
    (
        "PAYMENT_FAILED status",
        "PAYMENT_FAILED | the card was declined",
        f"{STAGES}/test_collecting.py::test_declines_are_tried_after_one_and_three_days_and_no_more",
        f"{STAGES}/test_collecting.py::test_declined_and_then_paid_by_the_buyer_is_paid_once",
        f"{STAGES}/test_collecting.py::test_who_never_pays_is_reminded_and_then_the_invoice_is_void_and_the_lot_cancelled",
    ),
    (
        "CJ_OUT_OF_STOCK status",
        "CJ_OUT_OF_STOCK | the goods were gone",
        f"{STAGES}/test_refunding.py::test_one_of_three_lots_is_out_of_stock_and_its_share_goes_back_to_the_cent",
    ),
    (
        "CJ_PRICE_CHANGED status",
        "CJ_PRICE_CHANGED | goods or landed cost rose by more than 20 %",
        f"{STAGES}/test_gone_or_dear.py::test_goods_up_by_a_quarter",
    ),
    (
        "No products being sourced by daily cron",
        "The daily run sources nothing",
        f"{STAGES}/test_sourcing.py::test_a_rotation_without_an_active_word_is_said_with_what_to_type_and_nothing_is_searched",
        f"{STAGES}/test_sourcing.py::test_below_100_stops_before_anything_is_searched",
    ),
    (
        "CJ authentication errors",
        "delete `.cj-token.json`",
        "tests/clients/test_cj_errors.py::test_a_token_file_that_is_gone_or_broken_means_one_login_anew",
        "tests/clients/test_cj_errors.py::test_there_is_one_login_in_300_seconds_until_the_file_is_deleted",
        f"{STAGES}/test_telling.py::test_a_login_that_cj_refuses_is_told_at_once_and_so_is_its_end",
    ),
    (
        "Images missing on listings",
        "Pictures are missing",
        f"{STAGES}/test_listing.py::test_when_no_picture_of_a_lot_can_be_had_it_is_removed_and_said_so",
    ),
    (
        "Emails not sending",
        "Mails do not arrive",
        f"{STAGES}/test_our_own_key.py::test_mails_wait_for_the_right_key_and_then_go_once",
        "tests/clients/test_resend.py::test_without_a_key_the_template_and_our_id_are_logged_and_never_the_address",
        f"{STAGES}/test_telling.py::test_a_mail_that_did_not_go",
    ),
    (
        "Alerts not firing",
        "Alerts do not arrive",
        f"{STAGES}/test_telling.py::test_without_an_address_an_alert_is_a_log_line_of_its_severity_and_nothing_is_owed",
        "tests/flows/test_alerts.py::test_a_channel_that_refuses_is_said_and_its_address_is_in_no_event",
    ),
    (
        "RESERVE_NOT_MET status",
        "RESERVE_NOT_MET | the highest bid was below the reserve (130 % of landed cost)",
        f"{STAGES}/test_closing.py::test_what_misses_its_reserve_ends_there_and_costs_nobody_anything",
    ),
]

SETTINGS, DOCTOR = "tests/test_settings.py", "tests/deployments/test_doctor.py"
HOOKS = "tests/deployments/test_webhooks.py"
PASSWORD = "tests/deployments/test_a_server_with_a_password.py"
WRONG = f"{DOCTOR}::test_a_wrong_setting_is_seen_where_it_is_wrong"

#: (the variable, what of its line must stand, its test)
VARIABLES: list[Row] = [
    ("CJ_API_KEY", "logs in", f"{DOCTOR}::test_a_wrong_cj_key_is_refused_at_its_login"),
    ("ACCOUNT_ID", "the account", WRONG),
    ("API_KEY", "`x-api-key`", WRONG),
    ("BASTA_WEBHOOK_SECRET", "empty means closed", f"{HOOKS}::test_without_a_secret_nothing_is_the_vendors"),
    ("STRIPE_SECRET_KEY", "makes this a rehearsal", f"{SETTINGS}::test_a_stripe_test_key_makes_test_mode_and_test_orders"),
    ("STRIPE_WEBHOOK_SECRET", "empty means closed", f"{HOOKS}::test_without_a_secret_nothing_is_the_vendors"),
    ("CRON_SECRET", "`PREFECT_API_AUTH_STRING`", f"{PASSWORD}::test_who_shows_it_is_let_in", f"{PASSWORD}::test_a_command_shows_the_one_of_env_local"),
    ("RESEND_API_KEY", "logged only", "tests/clients/test_resend.py::test_without_a_key_the_template_and_our_id_are_logged_and_never_the_address"),
    ("RESEND_FROM", "`Placer Auctions <noreply@placerauctions.com>`", f"{SETTINGS}::test_the_defaults_are_the_operators", "tests/clients/test_resend.py::test_a_mail_goes_with_its_key_to_its_one_reader", WRONG),
    ("ALERT_WEBHOOK_URL", "console only", f"{STAGES}/test_telling.py::test_without_an_address_an_alert_is_a_log_line_of_its_severity_and_nothing_is_owed"),
    ("TURSO_DATABASE_URL", "the record", f"{SETTINGS}::test_the_record_may_be_at_turso_in_the_clear_on_loopback_only"),
    ("TURSO_AUTH_TOKEN", "its token", "tests/lots/test_libsql.py::test_a_token_of_somebody_else_opens_nothing"),
    ("NEXTAUTH_SECRET", "`PREFECT_SERVER_API_AUTH_STRING`", f"{PASSWORD}::test_who_does_not_show_it_is_kept_out_and_told_which_setting_to_see", f"{PASSWORD}::test_who_shows_it_is_let_in", f"{PASSWORD}::test_a_server_that_lets_everybody_in_although_it_should_ask_is_seen"),
    ("NEXTAUTH_URL", "`PREFECT_API_URL`", WRONG),
]  # fmt: skip

UNHEARD = (
    f"{STAGES}/test_hearing.py::test_three_that_do_not_hold_are_told_and_a_genuine_one_ends_it",
    f"{STAGES}/test_hearing.py::test_three_payments_that_no_webhook_told_are_told",
    f"{STAGES}/test_hearing.py::test_an_event_whose_work_fails_for_an_hour_is_told_until_it_is_done",
)
#: (severity and words of the alert's section, its name in our table, its test)
ALERTS: list[Row] = [
    ("CJ API quota below 200: WARNING", "quota", f"{STAGES}/test_sourcing.py::test_150_warns_and_goes_on"),
    (
        "CJ API quota below 100: CRITICAL",
        "quota",
        f"{STAGES}/test_sourcing.py::test_below_100_stops_before_anything_is_searched",
    ),
    (
        "Multiple fulfillment failures (more than 3 a day): HIGH",
        "fulfilment-failures",
        f"{STAGES}/test_guarding.py::test_four_lots_that_cannot_be_bought_in_a_day_are_one_alert",
    ),
    (
        "Refund rate above 20 %: HIGH",
        "refund-rate",
        f"{STAGES}/test_guarding.py::test_more_than_a_fifth_of_the_paid_lots_refunded_is_told_and_is_over_when_it_is_less",
    ),
    (
        "Negative profit margin: HIGH",
        "margin",
        f"{STAGES}/test_telling.py::test_a_margin_that_stays_negative_for_a_day_is_told_louder",
    ),
    (
        "Lot stuck for over 4 hours: MEDIUM",
        "lot-stuck",
        f"{STAGES}/test_guarding.py::test_a_lot_stuck_for_four_hours_is_told_once_and_so_is_its_end",
    ),
    (
        "Stripe webhook failures: HIGH",
        "stripe-webhooks",
        *UNHEARD,
    ),
    (
        "CJ balance insufficient: CRITICAL",
        "cj-balance",
        f"{STAGES}/test_fulfilment.py::test_a_short_balance_holds_the_order_tells_a_person_and_pays_after_the_top_up",
    ),
    (
        "Daily sourcing failed, listed nothing, or did not run by 08:30 UTC: MEDIUM",
        "sourcing",
        f"{STAGES}/test_sourcing.py::test_zero_lots_is_no_success",
        f"{STAGES}/test_sourcing.py::test_a_rotation_without_an_active_word_is_said_with_what_to_type_and_nothing_is_searched",
        "tests/flows/test_daily.py::test_a_run_that_did_not_begin_by_half_past_eight_is_told_until_one_does",
    ),
]

TOLD, GUARDED = f"{STAGES}/test_telling.py", f"{STAGES}/test_guarding.py"
BY_THE_SERVER = "tests/flows/test_alerts.py::test_failed_crashed_silent_and_zombie_runs_are_told_by_the_server_alone"

ESCALATIONS: list[Row] = [
    ("CJ API quota below 100", "below 100 on any endpoint", f"{STAGES}/test_sourcing.py::test_below_100_stops_before_anything_is_searched"),
    ("CJ_ORDERED for more than 8 hours", "CJ_ORDERED for more than 8 hours", f"{GUARDED}::test_an_order_that_nobody_pays_is_told_after_four_hours_and_louder_after_eight"),
    ("Negative margin for 24 hours", "negative for more than 24 hours", f"{TOLD}::test_a_margin_that_stays_negative_for_a_day_is_told_louder"),
    ("More than 3 failures in a day", "more than 3 fulfilment failures in a day", f"{GUARDED}::test_four_lots_that_cannot_be_bought_in_a_day_are_one_alert"),
    ("Stripe webhooks failing", "Stripe's webhooks fail all the time", *UNHEARD),
    ("Cron jobs not run for 30 minutes", "did not run for over 30 minutes", BY_THE_SERVER),
    ("Database connection errors", "the database reports connection errors", BY_THE_SERVER),
    ("CJ authentication fails", "even after `.cj-token.json` was deleted", f"{TOLD}::test_a_login_that_cj_refuses_is_told_at_once_and_so_is_its_end"),
    ("Any error not resolved in 15 minutes", "cannot mend within 15 minutes", BY_THE_SERVER),
]  # fmt: skip
NEVER_ESCALATED: list[Row] = [
    ("RESERVE_NOT_MET", "RESERVE_NOT_MET lots", f"{TOLD}::test_a_reserve_that_was_not_met"),
    ("Single PAYMENT_FAILED", "a single PAYMENT_FAILED", f"{TOLD}::test_a_payment_that_failed"),
    ("Single CJ_OUT_OF_STOCK or CJ_PRICE_CHANGED", "a single CJ_OUT_OF_STOCK or CJ_PRICE_CHANGED", f"{TOLD}::test_one_lot_that_cannot_be_bought"),
    ("Emails not sending", "mails that do not arrive", f"{TOLD}::test_a_mail_that_did_not_go"),
]  # fmt: skip
LINKED = "tests/reporting/test_pages.py::test_a_lot_is_linked_to_its_pages_at_the_vendors"
DASHBOARDS: list[Row] = [
    ("Basta", "https://dashboard.basta.app/", LINKED),
    ("Stripe", "https://dashboard.stripe.com/", LINKED),
    ("Vercel", "in place of Vercel", "tests/browser/test_ui.py::test_the_deployments_are_listed_with_their_schedules"),
    ("CJ Dropshipping", "https://cjdropshipping.com/", LINKED),
    ("Resend", "https://resend.com/", WRONG),
]
BASTA_ACCOUNT = "68ef01b4-b445-4d04-8f52-62a1e30763a3"
STORY = "tests/flows/test_story.py::test_a_keyword_becomes_delivered_parcels_and_a_refund_in_part_of_an_invoice"
#: Status -> the test that brings a lot there as the operator's picture of its life has it.
STATUSES = {
    **dict.fromkeys(("SOURCED", "LISTED", "PUBLISHED", "AUCTION_CLOSED", "PAID"), STORY),
    **dict.fromkeys(("CJ_ORDERED", "CJ_PAID", "SHIPPED", "DELIVERED"), STORY),
    "RESERVE_NOT_MET": f"{STAGES}/test_closing.py::test_what_misses_its_reserve_ends_there_and_costs_nobody_anything",
    "PAYMENT_FAILED": STORY,
    "CJ_OUT_OF_STOCK": f"{STAGES}/test_refunding.py::test_one_of_three_lots_is_out_of_stock_and_its_share_goes_back_to_the_cent",
    "CJ_PRICE_CHANGED": f"{STAGES}/test_gone_or_dear.py::test_goods_up_by_a_quarter",
    "CANCELLED": f"{STAGES}/test_handling.py::test_a_cancellation_makes_the_calls_it_announced_and_no_other_and_twice_changes_nothing",
}
PLANNED = "tests/deployments/test_prefect_yaml.py::test_the_schedules_are_0800_utc_0330_utc_and_every_ten_minutes_and_never_two_at_once"
SCHEDULES: list[Row] = [
    (
        "/api/cron/process",
        "every 10 minutes",
        PLANNED,
        f"{STAGES}/test_cycles_in_trouble.py::test_a_vendor_that_hangs_costs_the_cycle_its_budget_and_no_more",
    ),
    (
        "/api/cron/source",
        "08:00 UTC",
        PLANNED,
        f"{STAGES}/test_cycles_in_trouble.py::test_a_sourcing_run_that_spent_its_time_takes_no_new_work_and_the_same_call_finishes_it",
    ),
]

GUARDRAILS: list[Row] = [
    (
        "Max 5 products per sourcing run",
        "At most 5 products a sourcing run",
        f"{CLI}::test_bad_input_is_one_sentence_and_exit_status_2",
    ),
    ("Max $50 wholesale cost", "At most $50 landed cost", f"{CLI}::test_51_dollars_await_approval_and_nothing_is_done"),
    (
        "Max 2 sourcing runs per day",
        "At most 2 sourcing runs a day",
        f"{STAGES}/test_sourcing_runs.py::test_the_third_run_of_a_day_is_refused_and_the_next_day_begins_anew",
        f"{CLI}::test_the_third_run_of_a_day_is_exit_status_2_and_nothing_is_begun",
    ),
    (
        "Always check quota before manual sourcing",
        "The quota is looked at before every sourcing run",
        f"{STAGES}/test_sourcing.py::test_below_100_stops_before_anything_is_searched",
    ),
    (
        "Never bypass the 1.2-second CJ API delay",
        "1.2 seconds between calls are never bypassed",
        "tests/test_settings.py::test_what_is_wrong_is_one_sentence_that_names_it",
        "tests/lots/test_record.py::test_no_two_calls_of_cj_come_closer_than_the_interval_from_four_workers",
    ),
    (
        "Verify images uploaded",
        "Image 3: uploaded",
        f"{STAGES}/test_listing.py::test_a_sale_without_any_picture_is_not_published_and_is_no_success",
        f"{STAGES}/test_listing.py::test_when_no_picture_of_a_lot_can_be_had_it_is_removed_and_said_so",
    ),
    (
        "CJ tokens",
        "delete it to log in anew",
        "tests/clients/test_cj_errors.py::test_tokens_are_kept_for_their_owner_alone_and_one_login_serves_many_calls",
        "tests/clients/test_cj_errors.py::test_a_token_file_that_is_gone_or_broken_means_one_login_anew",
    ),
]

#: Every flag of the original, its default, and our command of that name.
FLAGS: list[tuple[str, str, object]] = [
    ("status", "--sale-id", None),
    ("source", "--keyword", "wireless headphones"),
    ("source", "--max-cost", "50"),
    ("source", "--max-products", 5),
    ("source", "--publish", False),
    ("keywords add", "--keyword", None),
    ("keywords add", "--max-cost", None),
    ("keywords add", "--priority", None),
    ("keywords remove", "--id", None),
    ("monitor", "--sale-id", None),
    ("monitor", "--poll-interval", 30),
    ("run", "--keyword", "wireless headphones"),
    ("run", "--max-cost", "50"),
    ("run", "--publish", False),
]

POWER = "tests/browser/test_without_a_server.py::test_after_two_days_without_a_server_one_cycle_and_one_sourcing_run_do_the_work_and_nobody_is_alarmed"
#: (a command of the book that `tests/flows/test_runbook_commands.py` does not type, why, what runs it: a test, or a
#: line of `.ci/run`). A name in a sentence needs none, as there is nothing to paste.
ELSEWHERE: list[Row] = [
    ("prefect server start", "runs until it is ended", f"{PASSWORD}::test_who_shows_it_is_let_in", POWER),
    ("prefect worker start --pool pipeline", "runs until it is ended", POWER),
    ("pipeline demo", "takes minutes", ".ci/run::.venv/bin/pipeline demo"),
    (".venv/bin/pip install -c constraints.txt -e .", "installs", ".ci/run::.venv/bin/pip install", ".ci/run::-c constraints.txt -e"),
]  # fmt: skip
#: Only a name in a sentence: the whole command stands elsewhere in the book, or is none of ours to type.
NAMES = {"pipeline lot show", "pipeline webhooks", "pipeline restore --from FILE", "prefect flow-run retry"}

#: What the contracts leave open, contradict, infer or have at second hand: by table of the go-live list, words that
#: stand in one line of it alone. Each line has some, so that none can go unseen.
UNPROVEN: dict[str, tuple[str, ...]] = {
    "CJ Dropshipping": (
        "points or call counts", "call quotas still listed", "kinds of quota", "minute by minute", "every answer tell",
        "30 days without a purchase", "login allowed once a second", "15 or 180 days", "HTTP status of a refused pace",
        "of a refused token", "`Retry-After`", "code 1600100", "codes of freight, disputes, subscriptions and sandbox moves",
        "how many orders one batch takes", "unknown ones left out", "cut at 6,000", "`features=enable_inventory`",
        "one freight question", "phone or a tax number", "off sale", "unique in the account or in a shop",
        "two creations at once", "refused after a delete or cancel", "without an idempotency key", "1600300",
        "begin as CREATED, as UNPAID, or paid", "`payType` 2 with a short balance", "`payId` freezes",
        "order id a creation answers", "`payBalance` takes", "unpaid (200) and cancelled (700)", "echo `isSandbox`",
        "simulated moves", "only an unconfirmed order be deleted", "none that is paid be cancelled", "no upper limit",
        "bills for more postage", "how disputes are opened", "body of its probe",
        "when a webhook is sent again, and when a topic is suspended", "sandbox orders send webhooks", "`messageId`",
        "send no INSERT", "subscription of their own",
    ),
    "Basta": (
        "at Basta itself", "version header", "`/query`", "texts and codes of errors", "HTTP status of a wrong key", "wrong document",
        "rate limits", "revision of the schema", "`updateUser`", "second `externalId`", "a repeat makes twice",
        "opening or cancelling", "a picture, a policy, attaching one", "the order of `sales`", "filter by status",
        "more than 50", "cursor of an empty one", "OPENED to CLOSING", "set the lots apart", "lot without a reserve",
        "side of a step's bound", "raise or lower a highest bid", "items made apart from their sale", "live sales",
        "bidder's token", "upload address lives", "uploaded picture appears", "which kinds and sizes are taken",
        "policy keep out", "`idType: USER_ID`", "empty update read the profile", "right after `createOrder`",
        "repeated `createInvoice` and `createPayment`", "moves of an order are refused", "fees of its own",
        "rounds a percentage", "bracket's bound", "premium", "`Order`, `Sale`, `User` and cancelled-bid hooks",
        "in which order hooks come", "when webhooks are sent again", "how they spell a status", "10 seconds",
        "after a 5xx only", "its old key",
    ),
    "Stripe": (
        "at Stripe itself", "endpoint's API version", "metadata of an invoice item", "the line's own id",
        "limits of metadata", "a list shows a new invoice", "more than one payment", "crediting an open invoice to zero",
        "`events.list` reaches", "currency of a draft", "hosted page", "Checkout's setup mode", "payment is disputed",
    ),
    "Mails and alerts": (
        "domain of `RESEND_FROM`", "2 or 5 mails a second", "50 recipients", "letters of a tag", "templates of its own",
        "batches", "takes our messages", "shorter of the limits", "an address that is gone",
    ),
    "Prefect and the record": (
        "does not answer at all", "events kept for 7 days", "task runs shown", "private address", "`prefect flow-run retry`",
        "frames with dates", "several Prefect servers", "Turso's own service", "power cut", "Docker engine",
    ),
}  # fmt: skip
