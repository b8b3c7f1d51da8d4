//! What a packet socket is bound to.
#![expect(
    unsafe_code,
    reason = "nix makes an address of a link from a pointer only, and lists all links to find one"
)]

use std::ptr::from_ref;

use nix::sys::socket::{LinkAddr, SockaddrLike as _};

/// The interface of this number. Without a protocol, the one of the socket stays in force (`packet_bind` of the kernel).
pub(super) fn of_link(number: u32) -> Option<LinkAddr> {
    let address = libc::sockaddr_ll {
        sll_family: u16::try_from(libc::AF_PACKET).ok()?,
        sll_protocol: 0,
        sll_ifindex: number.cast_signed(),
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    let length = u32::try_from(size_of_val(&address)).ok()?;
    // SAFETY: it points to a whole address of that family and length, and is copied.
    unsafe { LinkAddr::from_raw(from_ref(&address).cast(), Some(length)) }
}
