include!("../facade.rs");

use windlass_macros::dispatcher;

dispatcher! {
    struct One {}
    command { A => b }
}

dispatcher! {
    struct Two {}
    commands { A => [b] }
}

dispatcher! {
    struct Three {}
    events { A => b }
}

dispatcher! {
    struct Four {
        a: u8,
        b: u8,
    }
}

dispatcher! {
    struct Five {}
    commands { A }
}

dispatcher! {
    struct Six {}
    events { A => [b, b] }
}

dispatcher! {
    struct Seven {}
    commands { #[inline] A => b }
}

dispatcher! {
    struct AnotherRoute {}
    events { Packed => [publish(tell)] }
}

dispatcher! {
    struct Delayed {}
    queries { Count => spawn(count) }
}

fn main() {}
