//! Every kind of problem this server answers with, on one page: its code, status, title, what it
//! means and what to do. Knows no request and no refusal; the pages under `/problems/` are written
//! from this table.

/// One kind of problem.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// The `code` member; with `-` for `_` also the end of the `type` member.
    pub code: &'static str,
    pub status: u16,
    pub title: &'static str,
    pub meaning: &'static str,
    pub remedy: &'static str,
}

impl Kind {
    /// The last part of the page's address.
    pub fn slug(&self) -> String {
        self.code.replace('_', "-")
    }

    /// The kind of problem that a fault in a field is, when it has a page of its own.
    pub fn by_code(code: &str) -> Option<&'static Kind> {
        ALL.iter().copied().find(|kind| kind.code == code)
    }

    /// The kind with this slug.
    pub fn by_slug(slug: &str) -> Option<&'static Kind> {
        ALL.iter().copied().find(|kind| kind.slug() == slug)
    }
}

macro_rules! kinds {
    ($(
        $name:ident = $status:literal $code:literal, $title:literal, $meaning:literal,
        $remedy:literal;
    )*) => {
        $(
            #[doc = $meaning]
            pub static $name: Kind = Kind {
                code: $code, status: $status, title: $title, meaning: $meaning, remedy: $remedy,
            };
        )*

        /// All of them.
        pub static ALL: &[&Kind] = &[$(&$name,)*];
    };
}

kinds! {
    // -- The request itself --
    BAD_REQUEST = 400 "bad_request", "The request cannot be read",
        "The request line, a header or the address does not follow HTTP.",
        "Compare the request with the API reference.";
    INVALID_JSON = 400 "invalid_json", "The body is not JSON",
        "The body does not parse as JSON in UTF-8, or is nested deeper than 127 levels.",
        "Send one JSON object. The detail names the line and the column at which reading \
         stopped.";
    INVALID_QUERY = 400 "invalid_query", "A query parameter is wrong",
        "The query has a parameter that this address does not know, one that appears twice, or a \
         value that does not fit.",
        "Use the parameters that the API reference lists for this address.";
    INVALID_CURSOR = 400 "invalid_cursor", "The cursor is not one of this list",
        "Cursors are opaque. This one was not made by this server, or was made for another list.",
        "Send the next_cursor of the page before, or no cursor to begin with the newest.";
    IDEMPOTENCY_KEY_REQUIRED = 400 "idempotency_key_required", "An Idempotency-Key is required",
        "This call moves money, credit or capacity, so it must be safe to repeat.",
        "Send the header Idempotency-Key with 1 to 255 printable ASCII characters, one for each \
         intent.";
    IDEMPOTENCY_KEY_INVALID = 400 "idempotency_key_invalid", "The Idempotency-Key is not usable",
        "The header is empty, longer than 255 characters, repeated, or not printable ASCII.",
        "Use, for example, a UUID or your own order number.";
    IDEMPOTENCY_KEY_NOT_ACCEPTED = 400 "idempotency_key_not_accepted",
        "This call takes no Idempotency-Key",
        "The answer carries a secret that is shown once and kept nowhere, so it cannot be \
         answered again.",
        "Leave the header out. If the answer was lost, revoke what was made and make a new one.";
    UNAUTHENTICATED = 401 "unauthenticated", "Who are you?",
        "The request carries no credential, or one that is not (or no longer) good: a token that \
         has expired or was altered, a session that was closed, a key that was revoked, a wrong \
         password.",
        "Sign in with POST /v1/sessions, refresh the token, or use a live API key.";
    BAD_CREDENTIAL = 401 "bad_credential", "The secret is not good",
        "The password, refresh token or invitation is wrong, was used before, or has ended.",
        "Sign in again, or ask for a new invitation.";
    NO_CREDIT_LINE = 402 "no_credit_line", "There is no credit line",
        "An order or firm quote holds credit, and this organization has no line to hold it on.",
        "Apply with POST /v1/credit_applications.";
    CREDIT_LINE_STATE = 402 "credit_line_state", "The credit line takes no new holds",
        "The line is frozen, past due, running off or closed. What it carries goes on.",
        "Read the line's state with GET /v1/credit_lines and settle what is due, or ask the \
         operator.";
    CREDIT_SHORT = 402 "credit_short", "Not enough credit",
        "The hold that this needs is larger than what is available on the line.",
        "Ask for less, cancel resting orders, or apply for a higher limit. The missing amount is \
         in the answer.";
    NOT_PERMITTED = 403 "not_permitted", "Not yours to do",
        "The caller is known, and none of its roles carries the right that this call needs.",
        "Ask an owner of your organization for a role with that right.";
    NOT_ACTIVE = 403 "not_active", "The caller is no longer active",
        "The person was removed or the key was revoked after the credential was made.",
        "Sign in again or use another key.";
    PERSON_NEEDED = 403 "person_needed", "This takes a person",
        "Decisions have a name, and so does whoever makes a key; an API key has none.",
        "Sign in as a person and do it again.";
    NOT_CAPABLE = 403 "not_capable", "The organization lacks the capability",
        "Only organizations that signed up with this capability may do this.",
        "Sign up an organization with the capability.";
    PENDING_REVIEW = 403 "pending_review", "The organization waits for review",
        "The operator has not admitted this organization yet.",
        "Wait for the event organization.approved.";
    SUSPENDED = 403 "suspended", "The organization is suspended",
        "The operator has suspended this organization. What it has goes on; nothing new can \
         start.",
        "Ask the operator.";
    OWN_REQUEST = 403 "own_request", "Nobody decides their own request",
        "The request is one of the caller's own organization.",
        "Another organization's officer must decide.";
    ROLE_NOT_GRANTABLE = 403 "role_not_grantable", "The role cannot be given",
        "The role does not exist in this kind of organization, or the caller may not give it.",
        "Give roles that exist in the organization and that you hold the right to give.";
    NOT_FOUND = 404 "not_found", "There is no such thing",
        "The address or the object does not exist, or belongs to another organization.",
        "Check the id. Ids of other organizations' objects answer the same way.";
    METHOD_NOT_ALLOWED = 405 "method_not_allowed", "The address does not know this method",
        "The address exists; the method is not one of those in the Allow header.",
        "Use one of the methods in the Allow header.";
    REQUEST_TIMEOUT = 408 "request_timeout", "The body came too slowly",
        "The body was not complete in time.",
        "Send the request again.";
    DUPLICATE = 409 "duplicate", "It is already there",
        "Something with this name, code or address exists.",
        "Choose another, or use the one that is there.";
    WRONG_STATE = 409 "wrong_state", "Not in a state for this",
        "The object is in a state from which this cannot be done.",
        "Read the object; the answer names its state and the one that is needed.";
    SAME_OFFICER = 409 "same_officer", "It takes another officer",
        "This step needs two different people, and this one has already said yes.",
        "Ask a second officer to do the same.";
    TERMS_DIFFER = 409 "terms_differ", "The terms are not those of the first approval",
        "The second approval must be to exactly the terms of the first, which are in the answer.",
        "Approve the same terms, or decline.";
    APPLICATION_WAITING = 409 "application_waiting", "An application is already waiting",
        "An organization has at most one application under review.",
        "Withdraw the one that waits, or wait for its decision.";
    LAST_OWNER = 409 "last_owner", "The last owner stays",
        "An organization keeps at least one active owner.",
        "Make somebody else an owner first.";
    QUOTE_GONE = 409 "quote_gone", "The quote is gone",
        "The firm quote has lapsed or was already taken.",
        "Ask for a new quote.";
    QUOTE_NOT_FIRM = 409 "quote_not_firm", "The quote is not firm",
        "Only firm quotes hold a block that an order can take.",
        "Ask for a quote with firm: true, or place an order with the terms themselves.";
    TOO_MANY = 409 "too_many", "There are as many as there may be",
        "A bound on how many of these may exist at once is reached.",
        "End, cancel or revoke some of them first.";
    OUTSIDE_DELIVERY = 409 "outside_delivery", "Not time that can be reported",
        "A report is about time within the contract's window that has passed.",
        "Report a window between start and end, which are in the answer.";
    ALREADY_BILLED = 409 "already_billed", "That time is invoiced",
        "What was delivered before the last invoice is settled and cannot be reported again.",
        "Report what lies after the instant in the answer; ask the operator for a credit note \
         on the rest.";
    MORE_THAN_PROMISED = 409 "more_than_promised", "More missing than was promised",
        "At some instant more GPUs would be missing than the contract has there; earlier reports \
         count.",
        "Report fewer, or less time; the answer has the instant and its numbers.";
    PART_GONE = 409 "part_gone", "The contract does not have that part",
        "At some instant the contract has fewer GPUs that can be offered: others are sold on or on \
         offer already, or were themselves bought of a customer, which cannot be sold again.",
        "Offer less, or another time; the answer has the instant and its numbers.";
    SOLD_ON = 409 "sold_on", "More than that is sold on",
        "A contract cannot become smaller than what of it was sold on to others.",
        "Shrink it to no fewer GPUs; the answer has the instant and its numbers.";
    MORE_THAN_THERE = 409 "more_than_there", "More than there is",
        "The amount is larger than what it is taken from.",
        "Send at most what is there; the answer has the number.";
    CAP_EXCEEDED = 409 "cap_exceeded", "A cap leaves no room for this",
        "The market caps how much may be at stake with one group of customers, one provider or one \
         SKU. This would go above it.",
        "Ask for less, elsewhere, or later. The numbers are in the answer.";
    FEE_ABOVE = 409 "fee_above", "The fee is higher than agreed",
        "The change costs a higher fee than fee_max allows. Nothing was changed.",
        "Ask with dry_run=true what it costs, and raise fee_max.";
    TOO_EARLY = 409 "too_early", "It is too early for this",
        "This may be done, but only from a later instant on.",
        "Come back at the instant in the answer.";
    NOT_READY = 409 "not_ready", "The month cannot be closed yet",
        "Something of the month is not settled. The answer lists what, and how much of it.",
        "Settle what waits, then close the month.";
    NO_BLOCK = 409 "no_block", "No block fits",
        "The market has no block that fits the request. The answer names the constraint that \
         bound, its numbers, and what is near.",
        "Take one of the alternatives, or let a gtc order rest until supply appears.";
    VERSION_MISMATCH = 412 "version_mismatch", "It has changed since you read it",
        "If-Match names a version that is not the current one.",
        "Read the object again, look at what changed, and send its new ETag.";
    BODY_TOO_LARGE = 413 "body_too_large", "The body is too large",
        "Bodies are at most 1,048,576 bytes.",
        "Send less at once.";
    UNSUPPORTED_MEDIA_TYPE = 415 "unsupported_media_type", "The body must be JSON",
        "The Content-Type is not application/json, or the body is encoded.",
        "Send Content-Type: application/json and a plain body.";
    INVALID_BODY = 422 "invalid_body", "The body does not fit",
        "The body is JSON, and a field is missing, unknown, of the wrong type or outside its \
         bound. Each entry of errors points at one.",
        "Correct the fields that errors points at.";
    UNKNOWN_FIELD = 422 "unknown_field", "A field is not known here",
        "The body has a field that this call does not read. It is refused rather than passed \
         over, since a slip in a name would change what is meant.",
        "Correct the name, or leave the field out.";
    MISSING_FIELD = 422 "missing_field", "A field is missing",
        "The body lacks a field that this call needs.",
        "Add the field that errors points at.";
    DUPLICATE_FIELD = 422 "duplicate_field", "A field stands twice",
        "The body has the same field more than once.",
        "Send it once.";
    WRONG_TYPE = 422 "wrong_type", "A field has the wrong type",
        "The field is JSON of another type than the API reference says.",
        "Send the type that the API reference says.";
    UNKNOWN_VALUE = 422 "unknown_value", "A word is not known here",
        "The field takes one of a few words, and this is none of them.",
        "Use one of the words in the detail.";
    CONFLICT = 422 "conflict", "Two fields say different things",
        "The body has fields that exclude each other.",
        "Keep the one that is meant.";
    MONEY_MUST_BE_STRING = 422 "money_must_be_string", "Money is a string",
        "A JSON number was sent where money is expected. Many programs read numbers as binary \
         fractions, which cannot hold cents.",
        "Send a decimal string such as \"2.50\".";
    INVALID_AMOUNT = 422 "invalid_amount", "The amount cannot be read",
        "The text is not a plain decimal with at most six places, or is too large.",
        "Send digits with at most one point, such as \"115200.00\".";
    WRONG_CURRENCY = 422 "wrong_currency", "The market settles in another currency",
        "Every market has one settlement currency.",
        "Send amounts in the currency that the answers show.";
    WRONG_ID_KIND = 422 "wrong_id_kind", "The id is of another kind",
        "Ids begin with the kind of thing they name, and this one names another kind.",
        "Send an id with the prefix in the detail.";
    INVALID_ID = 422 "invalid_id", "The id cannot be read",
        "What follows the prefix is not 26 characters of lower-case base32.",
        "Copy the id as it was answered.";
    INVALID_CODE = 422 "invalid_code", "The code cannot be read",
        "SKUs and regions have codes of 2 to 40 of a-z, 0-9, '-', '_' and '.', starting with a \
         letter.",
        "Send the code as the catalogue lists it.";
    INVALID_COUNTRY = 422 "invalid_country", "The country cannot be read",
        "A country is two upper-case letters (ISO 3166-1 alpha-2).",
        "Send, for example, \"ID\".";
    INVALID_TIME = 422 "invalid_time", "The time cannot be read",
        "Times are RFC 3339 with an offset.",
        "Send, for example, \"2027-02-01T00:00:00Z\".";
    NOT_A_WHOLE_MINUTE = 422 "not_a_whole_minute", "The time is not a whole minute",
        "The market counts in whole minutes.",
        "Send a time with zero seconds.";
    TIME_OUT_OF_RANGE = 422 "time_out_of_range", "The time is outside the calendar",
        "The market's calendar runs from 2000 to 2199.",
        "Send a time within it.";
    EMPTY_WINDOW = 422 "empty_window", "The window is empty",
        "A window or range ends before it begins, or at once.",
        "Send an end after the start.";
    UNKNOWN = 422 "unknown", "The body names what does not exist",
        "A field refers to a thing that does not exist, or not for this caller.",
        "Check the id or code that errors points at.";
    OUT_OF_BOUNDS = 422 "out_of_bounds", "A field is outside its bound",
        "Every field has a bound; the answer has both ends of this one where they are numbers.",
        "Send a value within them.";
    INVALID = 422 "invalid", "A field does not fit",
        "The field breaks a rule, which is in the detail.",
        "Correct the field that errors points at.";
    OFF_LOT = 422 "off_lot", "Not a multiple of the lot",
        "GPUs are sold by whole nodes; the SKU says how many GPUs a node has.",
        "Send a multiple of the lot in the answer.";
    OFF_TICK = 422 "off_tick", "Not a multiple of the price step",
        "Prices are multiples of the SKU's step.",
        "Send a multiple of the tick in the answer.";
    OFF_SLOT = 422 "off_slot", "Not on a slot boundary",
        "Windows begin and end on boundaries of the SKU's slots.",
        "Send one of the nearest boundaries, which are in the answer.";
    OFF_SLOT_DURATION = 422 "off_slot_duration", "Not whole slots",
        "A duration is a whole number of the SKU's slots.",
        "Send a multiple of the slot in the answer.";
    IN_THE_PAST = 422 "in_the_past", "The time has passed",
        "Nothing can begin before the next slot.",
        "Send the time of the next slot, which is in the answer, or a later one.";
    TOO_FAR = 422 "too_far", "The time is too far away",
        "The market looks five years ahead.",
        "Send a time no later than the one in the answer.";
    PRICE_OUT_OF_BOUNDS = 422 "price_out_of_bounds", "The price is out of bounds",
        "A price is above zero and no higher than anybody asks; a slip of the decimal point is \
         caught here.",
        "Send a price within the bound in the answer.";
    OVERFLOW = 422 "overflow", "The amount is too large to be counted",
        "Price, GPUs and time multiply to more than the books can hold.",
        "Ask for less at once.";
    POWER_EXCEEDED = 422 "power_exceeded", "The factory's power does not carry it",
        "Installed GPUs never draw more than the factory's power budget.",
        "Install fewer, or enter a factory with more power.";
    BEYOND_INSTALLED = 422 "beyond_installed", "More than is installed",
        "At some instant the pool's listings would promise more GPUs than are installed.",
        "List fewer, or another window; the answer has the instant and its numbers.";
    NOT_ENROLLED = 422 "not_enrolled", "The pool is not in the program",
        "A listing names a program that its pool is not enrolled in.",
        "Have the operator enrol the pool, or leave the program out.";
    KEY_REUSED = 422 "key_reused", "The key was used for something else",
        "The same Idempotency-Key came before with another body.",
        "Use a new key for a new intent; repeat the first body exactly to read its answer again.";
    VERSION_REQUIRED = 428 "version_required", "If-Match is required",
        "This call changes something that others may change too.",
        "Read the object and send its ETag in If-Match.";
    THROTTLED = 429 "throttled", "Too many at once",
        "The caller has more going on at once than the server allows.",
        "Wait as long as Retry-After says.";
    RATE_LIMITED = 429 "rate_limited", "Too many requests",
        "The caller, or the address it asks from, has used up its quota. RateLimit-Policy says \
         what that is and RateLimit how it stands; violated-policies names it.",
        "Wait as long as Retry-After says, and spread requests evenly.";
    INTERNAL = 500 "internal", "The server is at fault",
        "The server could not finish the request. It is logged under the request id.",
        "Try again with the same Idempotency-Key; report the request id if it stays.";
    BUSY = 503 "busy", "Too many requests are waiting",
        "The one writer has as much waiting as it can take. Nothing has happened.",
        "Try again with the same Idempotency-Key after the time in Retry-After.";
    IN_DOUBT = 503 "in_doubt", "The database did not confirm",
        "It is not known whether the change was kept. A repetition with the same key finds out \
         and does it at most once.",
        "Try again with the same Idempotency-Key after the time in Retry-After.";
    CLOSED = 503 "closed", "No changes here now",
        "The server is stopping or loads the market anew. Reads may still be answered.",
        "Try again after the time in Retry-After.";
    STANDBY = 503 "standby", "Another server leads",
        "This server stands by for the one that takes the writes and shows the market's present. \
         It answers other reads. Nothing has happened.",
        "Ask the server that leads, or this one again after the time in Retry-After.";
    STORE_UNAVAILABLE = 503 "store_unavailable", "The database cannot be read",
        "The database did not answer the read.",
        "Try again after the time in Retry-After.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_kind_has_a_page_of_its_own() {
        let slugs: BTreeSet<String> = ALL.iter().map(|kind| kind.slug()).collect();
        assert_eq!(slugs.len(), ALL.len());
        for kind in ALL {
            assert_eq!(Kind::by_slug(&kind.slug()), Some(*kind));
            assert!((400..600).contains(&kind.status), "{}", kind.code);
            assert!(!kind.title.ends_with('.') && kind.meaning.ends_with('.'), "{}", kind.code);
            assert!(kind.remedy.ends_with('.'), "{}", kind.code);
        }
    }
}
