use ipnet::IpNet;

use super::Place;
use crate::netlink::{Route, VfSetting};
use crate::sysfs::PciAddress;

/// One change of the kernel's state. Links and RDMA devices are named by their numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A setting of a virtual function, through its port on the host.
    Function {
        /// The port's interface.
        port: u32,
        /// Number of the function.
        number: u32,
        /// What is set.
        setting: VfSetting,
    },
    /// Moves an interface, which turns it off, and renames it on the way.
    Move {
        /// Where it is.
        from: Place,
        /// Where it goes.
        to: Place,
        /// Which.
        link: u32,
        /// Its name there; `vf%d` means the first that is free.
        name: String,
    },
    /// Renames an interface.
    Rename {
        /// Where it is.
        at: Place,
        /// Which.
        link: u32,
        /// Its new name; `vf%d` means the first that is free.
        name: String,
    },
    /// Gives an interface a name besides.
    AddName {
        /// Where it is.
        at: Place,
        /// Which.
        link: u32,
        /// The name.
        name: String,
    },
    /// Takes a name besides from an interface.
    DropName {
        /// Where it is.
        at: Place,
        /// Which.
        link: u32,
        /// The name.
        name: String,
    },
    /// Turns an interface on or off.
    Up {
        /// Where it is.
        at: Place,
        /// Which.
        link: u32,
        /// On.
        up: bool,
    },
    /// Longest packet.
    Mtu {
        /// Where it is.
        at: Place,
        /// Which.
        link: u32,
        /// Bytes.
        mtu: u32,
    },
    /// How many packets may wait to be sent.
    QueueLength {
        /// Where it is.
        at: Place,
        /// Which.
        link: u32,
        /// Packets.
        length: u32,
    },
    /// The hardware address that an interface itself uses.
    HardwareAddress {
        /// Where it is.
        at: Place,
        /// Which.
        link: u32,
        /// 6 bytes, or 20.
        address: Vec<u8>,
    },
    /// Adds an address.
    Address {
        /// Where.
        at: Place,
        /// Which interface.
        link: u32,
        /// The address.
        address: IpNet,
    },
    /// Adds a route, beside others to the same place: the pod has a default route of its first interface already.
    Route {
        /// Where.
        at: Place,
        /// The route.
        route: Route,
    },
    /// Writes settings below `/proc/sys/net`, as seen there.
    Sysctl {
        /// Where.
        at: Place,
        /// Paths and values.
        values: Vec<(String, &'static str)>,
    },
    /// Moves an RDMA device, which gives it new character devices.
    MoveRdma {
        /// Where it is.
        from: Place,
        /// Where it goes.
        to: Place,
        /// Which.
        device: u32,
    },
    /// Renames an RDMA device.
    RenameRdma {
        /// Where it is.
        at: Place,
        /// Which.
        device: u32,
        /// Its new name.
        name: String,
    },
    /// Takes a function from its driver; its interface and RDMA device end.
    Unbind {
        /// Which.
        function: PciAddress,
        /// The driver.
        driver: String,
    },
    /// Gives a function to a driver, which makes an interface and an RDMA device on the host.
    Bind {
        /// Which.
        function: PciAddress,
        /// The driver.
        driver: String,
    },
}
