//! Caps on what is at stake in one place, and reviews of lines. A rule to a table.

use super::script::check;

#[test]
fn a_group_is_capped_as_one() {
    check(
        "
        pool     A gb300 64
        listing  L1 A 64 10h..20h @2.50
        line     C1 9000
        line     C2 9000
        line     C3 9000
        cap      group=tidal 1000          -> refused Unknown field=\"name\"
        group    C1 tidal
        group    C2 tidal
        cap      group=tidal 1000
        order    O1 C1 16 10h..20h <=2.50  -> contract 400.00
        order    O2 C2 24 10h..20h <=2.50  -> contract 600.00
        order    O3 C2 4 10h..20h <=2.50   -> refused CapExceeded subject=Group \
            cap=Money 1000000000 \
            exposed=Money 1000000000 needed=Money 100000000 over=Money 100000000
        order    O8 C1 4 10h..20h <=1.00 gtc -> refused CapExceeded
        quote    Q1 C1 4 10h..20h firm=300 -> refused CapExceeded
        grow     O1 C1 20                  -> refused CapExceeded
        order    O4 C3 4 10h..20h <=2.50   -> contract 100.00
        # What is delivered and not paid counts, what is cancelled does not.
        now      12h
        order    O9 C2 4 12h..20h <=2.50   -> refused CapExceeded
        shrink   O1 C1 4 from=13h          -> shrink fee=52.50
        order    O5 C2 4 13h..20h <=2.50   -> contract 70.00
        group    C2 none
        order    O6 C2 4 13h..20h <=2.50   -> contract 70.00
        cap      group=tidal none
        order    O7 C1 4 13h..20h <=2.50   -> contract 70.00
        ",
    );
}

#[test]
fn a_provider_and_a_sku_are_capped_by_what_is_not_delivered() {
    check(
        "
        pool     A gb300 64
        pool     B gb300 64 by=Q
        listing  L1 A 64 10h..20h @2.50
        line     C1 90000
        cap      provider=P 1000
        cap      provider=C1 10            -> refused Unknown
        cap      sku=abacus 10             -> refused Unknown
        order    O1 C1 32 10h..20h <=2.50  -> contract 800.00
        quote    Q1 C1 8 10h..20h firm=300
        order    O2 C1 4 10h..20h <=2.50   -> refused CapExceeded subject=Provider \
            over=Money 100000000
        order    O3 C1 4 10h..20h <=2.00 gtc -> open
        reprice  L1 @2.00
        order    O3                        -> open
        # Q1 has lapsed: there is room for the resting order, and for no more than that.
        now      1h
        order    O3                        -> contract 80.00
        order    O4 C1 8 10h..20h <=2.50   -> refused CapExceeded
        now      15h
        report   O1 10h..15h 0
        order    O6 C1 8 15h..20h <=2.50   -> contract 80.00
        cap      sku=gb300 400
        listing  L2 B 64 15h..20h @1.00
        order    O5 C1 4 15h..20h <=2.50   -> refused CapExceeded subject=Sku
        extend   O1 C1 21h                 -> refused
        cap      sku=gb300 none
        order    O7 C1 4 15h..20h <=2.50   -> contract 20.00 B
        ",
    );
}

#[test]
fn a_line_is_looked_at_again() {
    check(
        "
        line     C1 9000
        review   C1                        -> none next=181d
        review   C1 confirmed 0            -> refused OutOfBounds field=\"next_months\"
        review   C1 confirmed 25           -> refused OutOfBounds
        now      10d
        review   C1 lower 1
        review   C1                        -> lower next=41d
        told     C1                        -> credit_line.reviewed
        ",
    );
}
