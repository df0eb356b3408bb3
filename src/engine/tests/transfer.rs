//! Contracts that go to another organization of the group, a rule to a table.

use super::script::check;

#[test]
fn the_rest_of_a_contract_goes_from_line_to_line() {
    check(
        "
        pool     A gb300 64
        program  PG 1:1500 guarantee=8000/5000/150000 pools=A
        listing  L1 A 64 24h..124h @2.50 program=PG
        line     C1 250000
        line     C2 250000
        order    O1 C1 64 24h..124h <=2.50  -> contract 16000.00
        books    gua_committed PG C1        -> 8800.00
        group    C1 tidal
        group    C2 tidal
        # A quarter of it is delivered, less an hour of 16 GPUs.
        now      49h
        report   O1 30h..31h 16
        told     C1
        transfer O1 C1 C2                   -> done
        told     C1                         -> contract.transfer_offered
        told     C2                         -> contract.transfer_offered
        credit   C1                         -> held=14880.00 drawn=1080.00
        receive  O1 C2 dry                  -> 1 transfer gpus=64 24h..124h value=15960.00 \
            fee=0.00 held=12000.00 was 64 24h..124h 15960.00 held=12000.00
        credit   C2                         -> held=0.00
        told     C2
        receive  O1 C2                      -> 1 transfer value=15960.00 held=12000.00
        told     C1                         -> invoice.drafted contract.transferred
        told     C2                         -> contract.transferred
        told     P
        # What was drawn, less the credit for the lost hour, is the first one's.
        credit   C1                         -> available=246238.00 held=0.00 drawn=3762.00
        credit   C2                         -> available=238000.00 held=12000.00 drawn=0.00
        invoice  C1                         -> draft 3762.00
        books    gua_exposed PG C1          -> 3762.00
        books    gua_exposed PG C2          -> 12000.00
        books    gua_committed PG C2        -> 5600.00
        receive  O1 C2                      -> refused NotFound
        cancelc  O1 C1                      -> refused NotFound
        report   O1 40h..41h 4              -> refused AlreadyBilled
        now      50h
        report   O1 49h..50h 0
        books    1150 C2                    -> 160.00
        books    2100 P                     -> 3137.60
        shrink   O1 C2 32 from=123h         -> 2 shrink fee=20.00
        now      31d
        invoice  C2                         -> draft 11940.00
        finalize C2
        pay      C1 3762.00
        pay      C2 11940.00
        credit   C1                         -> available=250000.00
        credit   C2                         -> available=250000.00
        books    gua_committed PG C1        -> 0.00
        books    gua_committed PG C2        -> 0.00
        terms    O1                         -> gone
        ",
    );
}

#[test]
fn a_transfer_takes_a_group_two_lines_and_two_words() {
    check(
        "
        pool     A gb300 64
        listing  L1 A 64 24h..48h @2.50
        line     C1 250000
        line     C2 1000
        line     C3 250000
        line     C4 0
        order    O1 C1 32 24h..48h <=2.50   -> contract 1920.00
        transfer O1 C1 C2                   -> refused Unknown field=\"organization_id\"
        group    C1 tidal
        transfer O1 C1 C2                   -> refused Unknown
        group    C2 tidal
        group    C3 tidal
        group    C4 tidal
        group    P tidal
        transfer O1 C1 C1                   -> refused Unknown
        transfer O1 C1 P                    -> refused Invalid
        transfer O1 C3 C2                   -> refused NotFound
        receive  O1 C2                      -> refused NotFound
        transfer O1 C1 C2
        receive  O1 C3                      -> refused NotFound
        receive  O1 C2                      -> refused credit missing=920.00
        transfer O1 C1 C4
        receive  O1 C2                      -> refused NotFound
        receive  O1 C4                      -> refused NoCreditLine
        transfer O1 C1 C3
        told     C3
        transfer O1 C1 -
        told     C1                         -> contract.transfer_withdrawn
        receive  O1 C3                      -> refused NotFound
        # Whoever takes a contract takes what was offered.
        transfer O1 C1 C3
        grow     O1 C1 64 <=2.50            -> grow
        receive  O1 C3                      -> refused NotFound
        transfer O1 C1 C3
        group    C3 other
        receive  O1 C3                      -> refused WrongState needed=\"in group
        group    C3 tidal
        resell   R1 O1 C1 4 30h..40h @2.00
        receive  O1 C3                      -> refused WrongState state=\"offered
        transfer O1 C1 C2                   -> refused WrongState
        unsell   O1 C1
        freeze   C1
        receive  O1 C3                      -> refused CreditLineState
        transfer O1 C1 C2                   -> refused CreditLineState
        transfer O1 C1 -
        now      48h
        transfer O1 C1 C3                   -> refused WrongState state=\"completed\"
        ",
    );
}

#[test]
fn who_takes_a_contract_makes_whole_what_was_sold_on() {
    check(
        "
        pool     A gb300 64
        listing  L1 A 64 24h..48h @2.50
        line     C1 250000
        line     C2 250000
        line     C3 250000
        group    C1 tidal
        group    C2 tidal
        order    O1 C1 64 24h..48h <=2.50   -> contract 3840.00
        resell   R1 O1 C1 32 24h..34h @2.00
        order    O2 C3 32 24h..34h <=2.00   -> contract 640.00
        transfer O1 C1 C2
        receive  O1 C2                      -> transfer value=3200.00 held=3200.00
        credit   C1                         -> held=0.00 drawn=6.40
        shrink   O2 C3 16 from=29h          -> fee=40.00
        # A quarter of five hours at 8.
        credit   C2                         -> held=3160.00 drawn=10.00
        now      48h
        accrued  O1                         -> completed 3160.00
        books    2100 P                     -> 3505.50
        ",
    );
}
