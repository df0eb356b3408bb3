//! Every bound in the system, on one page, each with its reason.

use super::money::UNIT;

// -- Texts --

/// Codes appear in URLs and tables; longer ones stop being readable.
pub const CODE_LENGTH_MAX: usize = 40;
/// Names of organizations, factories, programs, keys.
pub const NAME_LENGTH_MAX: usize = 120;
/// RFC 5321: the longest address that can be delivered to.
pub const EMAIL_LENGTH_MAX: usize = 254;
/// Long enough for a sentence of purpose or a note to the file.
pub const NOTE_LENGTH_MAX: usize = 2_000;
/// NIST SP 800-63B: at least eight without other factors; we ask for twelve.
pub const PASSWORD_LENGTH_MIN: usize = 12;
/// Argon2 hashes any length; this bounds the work of one sign-in.
pub const PASSWORD_LENGTH_MAX: usize = 200;
/// A caller's own reference, as the idempotency key is.
pub const REFERENCE_LENGTH_MAX: usize = 128;
/// The IETF draft of Idempotency-Key leaves it open; other APIs allow 255.
pub const IDEMPOTENCY_KEY_LENGTH_MAX: usize = 255;

// -- Time --

/// The market's earliest instant, 2000-01-01T00:00Z: before it a date is a mistake.
pub const MINUTE_MIN: i64 = 15_778_080;
/// The market's last instant, 2200-01-01T00:00Z: far from overflow, after every contract.
pub const MINUTE_MAX: i64 = 120_966_720;
/// Contracts of the field run six years; ten leaves room.
pub const WINDOW_MINUTES_MAX: i64 = 10 * 366 * 24 * 60;
/// How far ahead an order may start: five years of planned factories.
pub const HORIZON_MINUTES: i64 = 5 * 366 * 24 * 60;
/// How wide an order's range of starts may be: beyond a year nobody is flexible, and search costs
/// time.
pub const START_RANGE_MINUTES_MAX: i64 = 366 * 24 * 60;
/// A backstop buys a quarter before delivery at the earliest: until then capacity is for customers.
pub const BACKSTOP_LEAD_HOURS_MAX: u32 = 92 * 24;
/// Slots are hours or parts of an hour, up to a day.
pub const SLOT_MINUTES_MAX: u32 = 24 * 60;
/// A firm quote keeps others out; fifteen minutes is enough to ask a colleague.
pub const QUOTE_SECONDS_MAX: i64 = 900;
/// How long an idempotency key is remembered.
pub const KEY_DAYS: i64 = 30;
/// OAuth 2.0 security practice: access tokens live minutes.
pub const ACCESS_TOKEN_SECONDS: i64 = 15 * 60;
/// A refresh token unused this long is a forgotten browser.
pub const REFRESH_TOKEN_DAYS: i64 = 30;
/// An invitation that waited a week is asked for again.
pub const INVITATION_DAYS: i64 = 7;
/// The longest tenor of a credit line: ten years.
pub const TENOR_MONTHS_MAX: u32 = 120;
/// Payment terms beyond half a year are loans.
pub const NET_DAYS_MAX: u32 = 180;

// -- Quantities and money --

/// Above the largest published campus (170,000 GPUs) with room to grow.
pub const GPUS_MAX: u32 = 2_000_000;
/// A rack-scale node has 4, a board 8; a thousand is beyond any node.
pub const LOT_MAX: u32 = 1_024;
/// 10,000.00 per GPU-hour: three orders above the field, so a slip of the decimal point is caught.
pub const PRICE_MAX: i64 = 10_000 * UNIT;
/// One trillion: above every line, far below the range of 64 bits with all lines summed.
pub const AMOUNT_MAX: i64 = 1_000_000_000_000 * UNIT;
/// A factory's power budget: five gigawatts.
pub const POWER_KW_MAX: u32 = 5_000_000;

/// The largest scale-up domains planned join 576 GPUs; this leaves room for two more generations.
pub const GPUS_PER_DOMAIN_MAX: u32 = 8_192;
/// Memory of one GPU: 64 TiB, a hundred times the field's largest.
pub const MEMORY_GIB_MAX: u32 = 65_536;
/// Power of one GPU with its share of the rack: 100 kW, far above what can be cooled.
pub const WATTS_PER_GPU_MAX: u32 = 100_000;
/// The last contract month a share step may begin in: past the end of the longest window.
pub const SHARE_MONTH_MAX: u32 = 132;

/// The longest a provider's reserve is kept back: two years, past any chargeback.
pub const RESERVE_DAYS_MAX: u32 = 730;
/// The longest grace after an invoice's due day: a quarter, after which a line is delinquent
/// anyway.
pub const GRACE_DAYS_MAX: u32 = 90;
/// The longest a draft waits for the operator's eyes: a month, when the next ones come.
pub const DRAFT_HOURS_MAX: u32 = 720;

// -- How many --

/// SKUs or regions that one order may accept.
pub const CHOICES_MAX: usize = 16;
/// Countries or segments in one listing's limits; alternatives in one refusal is far fewer.
pub const AUDIENCE_MAX: usize = 300;
/// Phases in one body; a pool gathers more by later calls.
pub const PHASES_MAX: usize = 100;
/// A credit line is looked at again half a year after it was decided about, unless an officer says
/// otherwise: in so many months at most.
pub const REVIEW_MONTHS: u32 = 6;
pub const REVIEW_MONTHS_MAX: u32 = 24;
/// How long a customer has to answer to a substitution: at most, so that a provider knows in time;
/// and at least, also when the time that runs short has begun.
pub const SUBSTITUTION_MINUTES_MAX: i64 = 24 * 60;
pub const SUBSTITUTION_MINUTES_MIN: i64 = 60;
/// Phases and maintenance windows of one pool.
pub const POOL_CHANGES_MAX: usize = 1_000;
/// Listings that are live in one pool, of its provider, and as many again of customers: each is
/// looked at in turn by the matcher.
pub const LISTINGS_PER_POOL_MAX: usize = 1_000;
/// Share steps in one program version.
pub const SHARE_STEPS_MAX: usize = 24;
/// Pools enrolled in one program.
pub const POOLS_PER_PROGRAM_MAX: usize = 10_000;
/// Resting orders of one organization.
pub const RESTING_PER_ORG_MAX: usize = 10_000;
/// Firm quotes of one organization at a time: a hold is a promise, not a fence.
pub const QUOTES_PER_ORG_MAX: usize = 100;
/// Changes of one contract, its cancellation aside: every size it had is kept in memory.
pub const AMENDMENTS_MAX: u32 = 1_000;
/// Draws that one part of a contract may be of, when it is sold on: each is a listing. Blocks are
/// of one or two draws, and of few after many changes.
pub const DRAWS_PER_RESALE_MAX: usize = 16;
/// Listings of one contract at a time: a pool has room for many sellers.
pub const RESALES_PER_CONTRACT_MAX: usize = 32;
/// Members, keys and open sessions of one organization.
pub const MEMBERS_PER_ORG_MAX: usize = 1_000;
/// API keys of one organization.
pub const KEYS_PER_ORG_MAX: usize = 100;
/// Open sessions of one person; the oldest gives way.
pub const SESSIONS_PER_USER_MAX: usize = 20;
/// Resting orders looked at on one supply event, so that no event is slow; a sweep does the rest.
pub const RETRIES_PER_EVENT: usize = 64;
/// Deadlines met by one Tick; the sequencer ticks again while more are due.
pub const DEADLINES_PER_TICK: usize = 1_000;
/// Idempotency keys forgotten by one Tick: more than come in one, so the memory does not grow.
pub const KEYS_FORGOTTEN_PER_TICK: usize = 4_096;
/// Alternatives offered by one refusal.
pub const ALTERNATIVES_MAX: usize = 4;
/// Pools looked at, cheapest first, for the numbers and for each alternative of one refusal: a "no"
/// must not cost much more than a "yes".
pub const EXPLAINED_POOLS_MAX: usize = 64;
/// Listings looked at to name the constraint that bound, for the same reason.
pub const EXPLAINED_LISTINGS_MAX: usize = 4_096;
/// How much later than asked an alternative start may be: a quarter, beyond it plans change.
pub const LATER_START_MINUTES: i64 = 90 * 24 * 60;

// -- The writer --

/// Commands that may wait for the writer. Full answers 503: about a second of work.
pub const INBOX_MAX: usize = 16_384;
/// Commands decided in one batch: bounds the time to the next commit.
pub const BATCH_MAX: usize = 2_048;
/// Facts noted in one batch, after which it takes no further command: bounds the transaction when
/// single commands touch much.
pub const BATCH_NOTES_MAX: usize = 65_536;
/// The idle writer looks at the clock at least this often, in milliseconds.
pub const IDLE_MILLIS: u64 = 1_000;
/// The first pause before the store is asked again, in milliseconds; it doubles each time.
pub const RESTORE_MILLIS_FIRST: u64 = 50;
/// The longest pause before the store is asked again, in milliseconds.
pub const RESTORE_MILLIS_MAX: u64 = 1_000;
/// A server that stands by looks at the one that writes this often, in milliseconds.
pub const STANDBY_MILLIS: u64 = 500;

// -- The door --

/// Bodies over one mebibyte are refused.
pub const BODY_BYTES_MAX: usize = 1_048_576;
/// Callers, and addresses, whose use of their quota is remembered: a few megabytes. Who comes when
/// there are more shares one quota with all the rest.
pub const RATE_ACCOUNTS_MAX: usize = 65_536;
/// Refusals of those who ask too often that are held back at once.
pub const RATE_PAUSED_MAX: usize = 1_024;
/// Requests a second that a limit may allow: more than a machine serves.
pub const RATE_MAX: u32 = 1_000_000;
/// Seconds that a connection may be idle: an hour, beyond which nobody comes back.
pub const KEEP_ALIVE_MAX: u32 = 3_600;
/// Networks of proxies that are believed.
pub const PROXIES_MAX: usize = 64;
/// Page size of lists when none is asked for.
pub const PAGE_DEFAULT: u32 = 20;
/// Largest page of a list.
pub const PAGE_MAX: u32 = 100;
/// Rows read at once where all of them are needed: few round trips, little memory.
pub const READ_AT_ONCE: u32 = 1_000;
