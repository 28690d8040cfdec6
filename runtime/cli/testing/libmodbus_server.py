"""A Modbus server of libmodbus with 50 holding registers, by its C interface.

Speaks Modbus TCP and prints its port as JSON, or RTU as unit 5 on the serial port that is its argument.
"""
import ctypes
import json
import socket
import sys

MAX_REQUEST_BYTES = 260

library = ctypes.CDLL("libmodbus.so.5")
library.modbus_new_tcp.restype = ctypes.c_void_p
library.modbus_mapping_new.restype = ctypes.c_void_p
library.modbus_tcp_listen.argtypes = [ctypes.c_void_p, ctypes.c_int]
library.modbus_tcp_accept.argtypes = [ctypes.c_void_p, ctypes.POINTER(ctypes.c_int)]
library.modbus_receive.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
library.modbus_reply.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p]
library.modbus_flush.argtypes = [ctypes.c_void_p]
library.modbus_close.argtypes = [ctypes.c_void_p]

library.modbus_new_rtu.restype = ctypes.c_void_p
library.modbus_new_rtu.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_char, ctypes.c_int, ctypes.c_int]
library.modbus_set_slave.argtypes = [ctypes.c_void_p, ctypes.c_int]
library.modbus_connect.argtypes = [ctypes.c_void_p]

registers = library.modbus_mapping_new(0, 0, 50, 0)
request = ctypes.create_string_buffer(MAX_REQUEST_BYTES)


def serve(server):
    while (count := library.modbus_receive(server, request)) >= 0:
        if count > 0:
            library.modbus_reply(server, request, count, registers)


if len(sys.argv) > 1:
    server = library.modbus_new_rtu(sys.argv[1].encode(), 19200, b"N", 8, 1)
    library.modbus_set_slave(server, 5)
    library.modbus_connect(server)
    print(json.dumps({"port": 0}), flush=True)
    # What is no request to it is no reason to stop.
    while True:
        serve(server)
        library.modbus_flush(server)

with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]

server = library.modbus_new_tcp(b"127.0.0.1", port)
listener = ctypes.c_int(library.modbus_tcp_listen(server, 1))
print(json.dumps({"port": port}), flush=True)
while library.modbus_tcp_accept(server, ctypes.byref(listener)) >= 0:
    serve(server)
    library.modbus_close(server)
