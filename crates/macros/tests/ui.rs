//! What the compiler says of a job: every mistake must name its place and say what to write instead.
//!
//! The expected texts are the compiler's own; after a change of messages or of the toolchain, run with
//! `TRYBUILD=overwrite` and read every one of them again.

#[test]
fn mistakes_say_what_to_write() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    cases.compile_fail("tests/ui/fail/*.rs");
}
