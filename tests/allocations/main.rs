//! A gate on heap allocations: unlike times, their number is exact on any machine.
#![expect(unsafe_code, reason = "counting allocations takes an allocator, which is unsafe by its nature")]

#[path = "../../benches/support/big_cluster.rs"]
mod big_cluster;
#[path = "../../benches/support/mod.rs"]
mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use railweave::admission::{RequestId, Verdict, Webhook, decide};
use railweave::api::settings::Settings;
use railweave::catalog::{Catalog, Identity};

struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

/// Notes that so many bytes more are in use, or fewer.
fn note(bytes: isize) {
    let live = LIVE.with(Cell::get) + bytes;
    LIVE.with(|cell| cell.set(live));
    PEAK.with(|cell| cell.set(cell.get().max(live)));
}

// SAFETY: every call is handed on unchanged to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        note(layout.size().cast_signed());
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note(-layout.size().cast_signed());
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        note(size.cast_signed() - layout.size().cast_signed());
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations of one answer, growing of buffers included.
fn allocations(opted_in: bool, variables: usize) -> (usize, Verdict) {
    let catalog = support::catalog();
    let body = support::review(opted_in, variables);
    let before = COUNT.with(Cell::get);
    let answer = decide(Webhook::Pods, &body, &catalog, RequestId(1));
    (COUNT.with(Cell::get) - before, answer.verdict)
}

#[test]
fn an_injected_pod_takes_at_most_40_allocations() {
    let (count, verdict) = allocations(true, 40);
    assert_eq!(verdict, Verdict::Patch);
    println!("opted in, 8 rails: {count} allocations");
    assert!(count <= 40, "{count} allocations");
}

#[test]
fn the_size_of_the_pod_does_not_matter() {
    assert_eq!(allocations(true, 40).0, allocations(true, 500).0);
}

#[test]
fn a_pod_that_did_not_opt_in_takes_fewer() {
    let (count, verdict) = allocations(false, 40);
    assert_eq!(verdict, Verdict::Allow);
    println!("not opted in: {count} allocations");
    assert!(count <= 24, "{count} allocations");
}

/// What `make` returns, how many KiB that keeps, and how many were in use at most meanwhile.
fn memory<T>(make: impl FnOnce() -> T) -> (T, isize, isize) {
    let before = LIVE.with(Cell::get);
    PEAK.with(|cell| cell.set(before));
    let result = make();
    let kib = |bytes: isize| (bytes - before) / 1024;
    (result, kib(LIVE.with(Cell::get)), kib(PEAK.with(Cell::get)))
}

#[test]
fn a_big_cluster_is_kept_in_15_mib() {
    let (objects, kept, _) = memory(big_cluster::objects);
    let compile = || Catalog::compile(&objects, Settings::default(), &Identity::default());
    let (_catalog, compiled, peak) = memory(compile);
    println!("objects {kept} KiB, catalog {compiled} KiB, at most {peak} KiB while it is compiled");
    assert!(kept <= 12 * 1024, "objects: {kept} KiB");
    assert!(compiled <= 3 * 1024, "catalog: {compiled} KiB");
    assert!(peak <= 4 * 1024, "while it is compiled: {peak} KiB");
}
