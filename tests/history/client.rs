//! The clients: what each asks next, and what its answer says of the pool and of the line.

use std::sync::Mutex;

use serde_json::{Value, json};

use crate::market::{CUSTOMERS, Market, POOLS, WORTH, region};
use crate::model::{Line, LineOp, PoolOp};
use crate::record::{Record, Span};
use crate::server::Reply;

/// What the clients of one customer know to have.
#[derive(Debug, Default)]
struct Things {
    /// Contracts: id, pool, GPUs.
    contracts: Vec<(String, usize, i64)>,
    /// Firm quotes: id, pool, GPUs.
    quotes: Vec<(String, usize, i64)>,
    /// Orders that rest: id and what they hold.
    resting: Vec<(String, i64)>,
}

/// What all clients share.
#[derive(Debug)]
pub struct Stage {
    market: Market,
    things: Vec<Mutex<Things>>,
    pub record: Record,
}

/// One client.
#[derive(Debug)]
pub struct Client<'a> {
    stage: &'a Stage,
    number: u64,
    chance: u64,
    asked: u64,
}

/// An amount of an answer, in micro-units.
fn micros(amount: &Value) -> i64 {
    let text = amount["amount"].as_str().unwrap_or_else(|| panic!("not money: {amount}"));
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{part:0<6}").parse().expect("an amount")
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_else(|| panic!("not a number: {value}"))
}

fn shown(line: &Value) -> Line {
    let target = &line["target_limit"];
    Line {
        limit: micros(&line["limit"]),
        available: micros(&line["available"]),
        target: (!target.is_null()).then(|| micros(target)),
        is_frozen: line["state"] == "frozen",
        version: number(&line["version"]),
    }
}

fn id(body: &Value) -> String {
    body["id"].as_str().expect("it has an id").to_owned()
}

impl Stage {
    pub fn new(market: Market) -> Self {
        let things = (0..CUSTOMERS).map(|_| Mutex::default()).collect();
        Self { market, things, record: Record::default() }
    }

    /// What is free and what the lines have, read after everything was answered.
    pub fn look_back(&self) {
        let mut client = Client::new(self, 0, 0);
        (0..POOLS).for_each(|pool| client.read_pool(pool));
        (0..CUSTOMERS).for_each(|customer| client.read_line(customer));
    }

    /// What contracts and firm quotes hold, as their holders know it: GPUs by pool, and micro-units
    /// by customer with what rests.
    pub fn holdings(&self) -> ([i64; POOLS], [i64; CUSTOMERS]) {
        let (mut gpus, mut amounts) = ([0; POOLS], [0; CUSTOMERS]);
        for (things, amount) in self.things.iter().zip(&mut amounts) {
            let things = things.lock().expect("nobody panics while holding it");
            for (_, pool, count) in things.contracts.iter().chain(&things.quotes) {
                gpus[*pool] += count;
                *amount += count * WORTH;
            }
            *amount += things.resting.iter().map(|(_, held)| held).sum::<i64>();
        }
        (gpus, amounts)
    }
}

impl<'a> Client<'a> {
    pub fn new(stage: &'a Stage, number: u64, seed: u64) -> Self {
        Self { stage, number, chance: seed, asked: 0 }
    }

    /// SplitMix64.
    fn below(&mut self, most: usize) -> usize {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.chance;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let most = u64::try_from(most).expect("64 bits");
        usize::try_from((mixed ^ (mixed >> 31)) % most).expect("it is below a usize")
    }

    fn things(&self, customer: usize) -> std::sync::MutexGuard<'a, Things> {
        self.stage.things[customer].lock().expect("nobody panics while holding it")
    }

    /// Asks under a fresh key; now and then twice at once, or again, which must be answered the same.
    fn ask(&mut self, customer: usize, path: &str, body: &Value) -> (Reply, Span) {
        let (stage, record) = (self.stage, &self.stage.record);
        let caller = &stage.market.customers[customer];
        self.asked += 1;
        let key = format!("{}-{}", self.number, self.asked);
        let url = format!("{}{path}", stage.market.url);
        let post = || {
            let reply = caller.post(&url, &key, body).expect("an answer");
            (reply, record.moment())
        };
        let call = record.moment();
        let roll = self.below(20);
        let (reply, back) = if roll == 0 {
            let (one, other) = std::thread::scope(|scope| {
                let other = scope.spawn(post);
                (post(), other.join().expect("it was answered"))
            });
            same(&one.0, &other.0);
            record.count("asked twice at once".to_owned());
            (one.0, one.1.min(other.1))
        } else {
            post()
        };
        if roll == 1 {
            same(&reply, &post().0);
            record.count("asked again".to_owned());
        }
        let code = if reply.status < 300 { Value::Null } else { reply.json()["code"].clone() };
        let what = path.split('/').filter(|part| !part.contains('_') || part.contains("line"));
        let what: Vec<&str> = what.skip(2).collect();
        record.count(format!("{} {} {code}", what.join("/"), reply.status));
        (reply, (call, back))
    }

    /// One thing that a customer's program does.
    pub fn trade(&mut self, customer: usize) {
        let pool = self.below(POOLS);
        match self.below(20) {
            0..8 => self.order(customer, pool),
            8..11 => self.quote(customer, pool),
            11..13 => self.take(customer),
            13..16 => self.cancel(customer),
            16 => self.rest(customer, pool),
            17 => self.cancel_resting(customer),
            18 => self.read_pool(pool),
            _ => self.read_line(customer),
        }
    }

    fn gpus(&mut self) -> i64 {
        4 * i64::try_from(1 + self.below(12)).expect("small")
    }

    fn terms(&self, pool: usize, gpus: i64, limit: &str) -> Value {
        json!({ "sku": "gb300-nvl72", "regions": [region(pool)], "gpus": gpus,
            "duration_hours": 24, "start_at": self.stage.market.start,
            "limit_price_per_gpu_hour": limit })
    }

    fn order(&mut self, customer: usize, pool: usize) {
        let gpus = self.gpus();
        let body = self.terms(pool, gpus, "3.00");
        let (reply, span) = self.ask(customer, "/v1/orders", &body);
        let answer = reply.json();
        if reply.status == 201 && answer["state"] == "filled" {
            let contract = answer["contract_id"].as_str().expect("a contract").to_owned();
            assert_eq!(micros(&answer["value"]), gpus * WORTH, "{answer}");
            self.things(customer).contracts.push((contract, pool, gpus));
            self.took(customer, pool, gpus, None, span);
        } else if reply.status == 201 {
            assert_eq!(
                (&answer["state"], &answer["reason"]),
                (&json!("expired"), &json!("capacity"))
            );
            self.short(pool, gpus, &answer["explanation"], span);
        } else {
            self.no_credit(customer, Some((pool, gpus)), &answer, span);
        }
    }

    fn quote(&mut self, customer: usize, pool: usize) {
        let gpus = self.gpus();
        let mut body = self.terms(pool, gpus, "3.00");
        body["firm"] = json!(true);
        body["ttl_seconds"] = json!(900);
        let (reply, span) = self.ask(customer, "/v1/quotes", &body);
        let answer = reply.json();
        match reply.status {
            201 => {
                self.things(customer).quotes.push((id(&answer), pool, gpus));
                let after = micros(&answer["credit_after"]);
                self.took(customer, pool, gpus, Some(after), span);
            }
            409 => self.short(pool, gpus, &answer["explanation"], span),
            _ => self.no_credit(customer, Some((pool, gpus)), &answer, span),
        }
    }

    fn took(&self, customer: usize, pool: usize, gpus: i64, after: Option<i64>, span: Span) {
        self.stage.record.pool(pool, span, PoolOp::Took(gpus));
        self.stage.record.line(customer, span, LineOp::Held { amount: gpus * WORTH, after });
    }

    fn short(&self, pool: usize, asked: i64, explanation: &Value, span: Span) {
        assert_eq!(explanation["constraint"], "capacity", "{explanation}");
        let free = number(&explanation["free_gpus"]);
        self.stage.record.pool(pool, span, PoolOp::Short { asked, free });
    }

    /// A "no" of the credit line, perhaps to a block that was there.
    fn no_credit(&self, line: usize, block: Option<(usize, i64)>, problem: &Value, span: Span) {
        let op = match problem["code"].as_str() {
            Some("credit_short") => LineOp::Short {
                needed: micros(&problem["needed"]),
                available: micros(&problem["available"]),
            },
            Some("credit_line_state") => LineOp::Frozen,
            _ => panic!("an answer that nobody expected: {problem}"),
        };
        self.stage.record.line(line, span, op);
        if let Some((pool, gpus)) = block {
            self.stage.record.pool(pool, span, PoolOp::Offered(gpus));
        }
    }

    /// Takes a firm quote, which holds already what it needs; another client may take it too.
    fn take(&mut self, customer: usize) {
        let quotes = self.things(customer).quotes.clone();
        if quotes.is_empty() {
            return self.quote(customer, 0);
        }
        let (quote, pool, gpus) = quotes[self.below(quotes.len())].clone();
        let (reply, span) = self.ask(customer, "/v1/orders", &json!({ "quote_id": quote }));
        let answer = reply.json();
        match (reply.status, answer["code"].as_str()) {
            (201, _) => {
                assert_eq!(answer["state"], "filled", "{answer}");
                let contract = answer["contract_id"].as_str().expect("a contract").to_owned();
                let mut things = self.things(customer);
                let before = things.quotes.len();
                things.quotes.retain(|(id, _, _)| *id != quote);
                assert_eq!(things.quotes.len(), before - 1, "{quote} was taken twice");
                things.contracts.push((contract, pool, gpus));
            }
            (409, Some("quote_gone")) => {}
            _ => self.no_credit(customer, None, &answer, span),
        }
    }

    /// Cancels a contract before it begins; another client may try the same.
    fn cancel(&mut self, customer: usize) {
        let contracts = self.things(customer).contracts.clone();
        if contracts.is_empty() {
            return self.order(customer, 0);
        }
        let (contract, pool, gpus) = contracts[self.below(contracts.len())].clone();
        let path = format!("/v1/contracts/{contract}/cancel");
        let (reply, span) = self.ask(customer, &path, &json!({}));
        let answer = reply.json();
        if reply.status != 200 {
            assert_eq!((reply.status, &answer["code"]), (409, &json!("wrong_state")), "{answer}");
            return;
        }
        let mut things = self.things(customer);
        let before = things.contracts.len();
        things.contracts.retain(|(id, _, _)| *id != contract);
        assert_eq!(things.contracts.len(), before - 1, "{contract} was cancelled twice");
        assert_eq!(micros(&answer["amendment"]["fee"]), 0, "{answer}");
        self.stage.record.pool(pool, span, PoolOp::Freed(gpus));
        self.stage.record.line(customer, span, LineOp::Released(gpus * WORTH));
    }

    /// An order so low that it rests, and holds what it might cost.
    fn rest(&mut self, customer: usize, pool: usize) {
        let gpus = self.gpus();
        let mut body = self.terms(pool, gpus, "1.25");
        body["time_in_force"] = json!("gtc");
        let (reply, span) = self.ask(customer, "/v1/orders", &body);
        let answer = reply.json();
        if reply.status == 201 {
            assert_eq!(answer["state"], "open", "{answer}");
            let held = micros(&answer["held"]);
            self.things(customer).resting.push((id(&answer), held));
            let op = LineOp::Held { amount: held, after: None };
            self.stage.record.line(customer, span, op);
        } else {
            self.no_credit(customer, None, &answer, span);
        }
    }

    fn cancel_resting(&mut self, customer: usize) {
        let resting = self.things(customer).resting.clone();
        if resting.is_empty() {
            return self.rest(customer, 0);
        }
        let (order, held) = resting[self.below(resting.len())].clone();
        let (reply, span) = self.ask(customer, &format!("/v1/orders/{order}/cancel"), &json!({}));
        let answer = reply.json();
        if reply.status != 200 {
            assert_eq!((reply.status, &answer["code"]), (409, &json!("wrong_state")), "{answer}");
            return;
        }
        let mut things = self.things(customer);
        things.resting.retain(|(id, _)| *id != order);
        self.stage.record.line(customer, span, LineOp::Released(held));
    }

    fn read_pool(&mut self, pool: usize) {
        let Market { url, nobody, start, end, .. } = &self.stage.market;
        let path = format!("/v1/market/availability?region={}&from={start}&to={end}", region(pool));
        let call = self.stage.record.moment();
        let reply = nobody.get(&format!("{url}{path}")).expect("an answer");
        let span = (call, self.stage.record.moment());
        let answer = reply.json();
        let steps = answer["data"].as_array().expect("a list");
        assert!(steps.len() < 2, "all of it is bought for the same hours: {answer}");
        let free = steps.first().map_or(0, |step| number(&step["free_gpus"]));
        self.stage.record.pool(pool, span, PoolOp::Saw(free));
        self.stage.record.count("a pool was read".to_owned());
    }

    fn read_line(&mut self, customer: usize) {
        let Market { url, customers, lines, .. } = &self.stage.market;
        let url = format!("{url}/v1/credit_lines/{}", lines[customer]);
        let call = self.stage.record.moment();
        let reply = customers[customer].get(&url).expect("an answer");
        let span = (call, self.stage.record.moment());
        assert_eq!(reply.status, 200);
        self.stage.record.line(customer, span, LineOp::Saw(shown(&reply.json())));
        self.stage.record.count("a line was read".to_owned());
    }

    /// One thing that an officer decides, on the line as it was read a moment ago.
    pub fn decide(&mut self, officer: usize) {
        let Market { url, officers, lines, .. } = &self.stage.market;
        let (stage, caller) = (self.stage, &officers[officer]);
        let line = self.below(CUSTOMERS);
        let url = format!("{url}/v1/credit_lines/{}", lines[line]);
        let read = shown(&caller.get(&url).expect("an answer").json());
        self.asked += 1;
        let key = format!("{}-{}", self.number, self.asked);
        let limit = [3_000, 6_000, 9_000, 15_000][self.below(4)];
        // Mostly to where it should be: a line that is frozen trades nothing.
        let step = match (self.below(12), read.is_frozen) {
            (0, false) => "freeze",
            (0..11, true) => "unfreeze",
            _ => "limit",
        };
        let mut body = json!({ "note": "a history" });
        if step == "limit" {
            body["limit"] = json!(limit.to_string());
        }
        let call = stage.record.moment();
        let seen = (step == "limit").then_some(read.version);
        let reply = caller.post_on(&format!("{url}/{step}"), &key, seen, &body);
        let reply = reply.expect("an answer");
        let span = (call, stage.record.moment());
        let answer = reply.json();
        let op = match (reply.status, answer["code"].as_str()) {
            (200, _) if step == "limit" => LineOp::Limited {
                expect: read.version,
                limit: limit * 1_000_000,
                line: shown(&answer),
            },
            (200, _) => LineOp::Decided(shown(&answer)),
            (412, _) => LineOp::Stale {
                expect: number(&answer["expected"]),
                actual: number(&answer["actual"]),
            },
            (422, _) if step == "limit" => LineOp::Same { limit: limit * 1_000_000 },
            (409, Some("wrong_state")) if step == "limit" => LineOp::Frozen,
            (409, Some("wrong_state" | "same_officer")) => LineOp::Undecided,
            _ => panic!("an answer that nobody expected: {step} {answer}"),
        };
        stage.record.count(format!("{step} {} {}", reply.status, answer["code"]));
        stage.record.line(line, span, op);
    }
}

/// A key has one answer, to the byte.
fn same(one: &Reply, other: &Reply) {
    assert_eq!((one.status, &one.body), (other.status, &other.body), "one key, two answers");
}
