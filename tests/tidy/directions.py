# directions.py - which folder may include which: the table of arrows that point down only.

_BASE = ("stack/base/",)
_PROTOCOL = ("drivers/packet", "stack/wire/")  # packet.h, packet_pool.h
# DeviceCaps and MacAddress are data that link and ip work with; the name NetDevice stays refused.
_CAPS = ("drivers/net_device.h",)

# folder: what it may include beside itself. The longest folder that matches counts.
ALLOWED = {
    "stack/base": (),
    "drivers": _BASE,
    "epoll": _BASE,
    "stack/wire": _BASE,
    "stack/link": _BASE + _PROTOCOL + _CAPS,
    "stack/ip": _BASE + _PROTOCOL + _CAPS,
    "stack/udp": _BASE + _PROTOCOL + ("stack/ip/ip_info.h", "stack/ip/transport_checksum.h"),
    "stack/tcp": _BASE,
    # ip_info.h and the packet pool: what a datagram arrives with and a write is built in.
    "stack/socket": _BASE + ("epoll/", "stack/tcp/", "stack/udp/", "stack/ip/routes.h",
                             "stack/ip/path_mtu.h", "stack/ip/ip_info.h", "drivers/packet"),
    "stack/core": _BASE + ("drivers/", "epoll/", "stack/wire/", "stack/link/", "stack/ip/",
                           "stack/udp/", "stack/tcp/", "stack/socket/"),
    "stack/api": ("stack/", "epoll/", "drivers/", "pollux/"),
    "apps": ("pollux/", "apps/"),
}

# Single files that may include more than their folder: the translators between TCP and packets.
ALSO = {
    "stack/tcp/tcp.cc": _PROTOCOL,
    "stack/tcp/tcp.h": _PROTOCOL,
    # Ping sockets send and receive whole ICMP messages; IP_RECVERR tells of ICMP errors.
    "stack/socket/udp_socket.h": ("stack/ip/icmp.h",),
    "stack/socket/error_note.h": ("stack/ip/icmp.h",),
    # The options as values belong to the segment; only this file knows how they look on the wire.
    "stack/wire/tcp_options.h": ("stack/tcp/segment.h",),
}

# What a folder must not know even as a system header.
_UNKNOWN = {
    "stack/base": ("rte_", "sys/socket.h", "netinet/", "sys/epoll.h"),
    "epoll": ("rte_", "netinet/", "arpa/", "net/"),
    "stack/tcp": ("rte_", "sys/socket.h", "sys/epoll.h", "time.h", "ctime", "chrono"),
}


def _folder_of(source):
    folder = source.folder
    while folder and folder not in ALLOWED:
        folder = folder.rpartition("/")[0]
    return folder


def include_breach(source, what, in_quotes):
    """The message of a forbidden include, or None."""
    folder = _folder_of(source)
    if not folder:
        return None
    if not in_quotes:
        bad = [u for u in _UNKNOWN.get(folder, ()) if what == u or
               what.startswith(u) and u.endswith(("_", "/"))]
        return f"{folder}/ must not know <{what}>" if bad else None
    if "/" not in what:
        return f'"{what}" is not a path from the root'
    allowed = ALLOWED[folder] + ALSO.get(source.path, ())
    if what.startswith(folder + "/") or what.startswith(allowed):
        return None
    return f'{folder}/ must not include "{what}"'
