"""A Modbus TCP server of libmodbus with 50 holding registers, by its C interface; prints its port as JSON."""
import ctypes
import json
import socket

MAX_REQUEST_BYTES = 260

library = ctypes.CDLL("libmodbus.so.5")
library.modbus_new_tcp.restype = ctypes.c_void_p
library.modbus_mapping_new.restype = ctypes.c_void_p
library.modbus_tcp_listen.argtypes = [ctypes.c_void_p, ctypes.c_int]
library.modbus_tcp_accept.argtypes = [ctypes.c_void_p, ctypes.POINTER(ctypes.c_int)]
library.modbus_receive.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
library.modbus_reply.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p]
library.modbus_close.argtypes = [ctypes.c_void_p]

with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]

server = library.modbus_new_tcp(b"127.0.0.1", port)
registers = library.modbus_mapping_new(0, 0, 50, 0)
listener = ctypes.c_int(library.modbus_tcp_listen(server, 1))
print(json.dumps({"port": port}), flush=True)
request = ctypes.create_string_buffer(MAX_REQUEST_BYTES)
while library.modbus_tcp_accept(server, ctypes.byref(listener)) >= 0:
    while (count := library.modbus_receive(server, request)) >= 0:
        if count > 0:
            library.modbus_reply(server, request, count, registers)
    library.modbus_close(server)
