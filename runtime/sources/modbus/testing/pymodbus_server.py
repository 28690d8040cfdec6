"""A Modbus server that nobody here wrote, holding one value of every kind in each order of its bytes.

Speaks Modbus TCP, or with a serial port as its argument RTU. Prints one JSON line: the TCP port, and what a
reader must find. The bytes are made by Python's struct module.
"""
import asyncio
import json
import struct
import sys

from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext, ModbusSlaveContext
from pymodbus.server.async_io import ModbusSerialServer, ModbusTcpServer

NUMBERS = [
    ("int16", ">h", -12345),
    ("uint16", ">H", 54321),
    ("int32", ">i", -1234567890),
    ("uint32", ">I", 3456789012),
    ("int64", ">q", -1234567890123),
    ("uint64", ">Q", 9007199254740991),
    ("uint64", ">Q", 18446744073709551615),
    ("float32", ">f", -273.15),
    ("float64", ">d", 3.141592653589793),
]


def reorder(data, order):
    """ABCD as it is; CDAB registers reversed; BADC bytes of each register swapped; DCBA both."""
    words = [data[i : i + 2] for i in range(0, len(data), 2)]
    if order in ("CDAB", "DCBA"):
        words.reverse()
    if order in ("BADC", "DCBA"):
        words = [word[::-1] for word in words]
    return b"".join(words)


def build():
    registers, tags, values = [], [], {}

    def add(data, name, value, **tag):
        tags.append({"name": name, "address": len(registers), **tag})
        values[name] = value
        registers.extend(struct.unpack(f">{len(data) // 2}H", data))

    for at, (kind, code, value) in enumerate(NUMBERS):
        for order in ("ABCD", "CDAB", "BADC", "DCBA"):
            expected = value if abs(value) < 2**53 else str(value)
            if kind == "float32":
                expected = struct.unpack(">f", struct.pack(">f", value))[0]
            data = reorder(struct.pack(code, value), order)
            add(data, f"{kind}-{at}-{order}", expected, type=kind, order=order)
    add(struct.pack(">h", -7), "scaled", -100.7, type="int16", scale=0.1, offset=-100)
    add(b"VALVE 12\0\0", "text", "VALVE 12", type="string", length=10)
    add(struct.pack(">f", float("nan")), "nan", None, type="float32")
    add(struct.pack(">H", 0x8004), "bit2", True, type="bit", bit=2)
    tags.append({"name": "bit3", "address": len(registers) - 1, "type": "bit", "bit": 3})
    values["bit3"] = False
    bits = [at % 3 == 0 for at in range(2000)]
    for table in ("coil", "discrete"):
        for at in (0, 1, 8, 15, 999, 1999):
            tags.append({"name": f"{table}-{at}", "table": table, "address": at})
            values[f"{table}-{at}"] = bits[at] if table == "coil" else not bits[at]
    for tag in [tag for tag in tags if tag.get("table") is None]:
        tags.append({**tag, "name": f"input-{tag['name']}", "table": "input"})
        values[f"input-{tag['name']}"] = values[tag["name"]]
    # Addresses that do not exist: refused with exception 2.
    tags.append({"name": "missing", "address": len(registers) + 3, "type": "uint16"})
    values["missing"] = None
    return registers, bits, tags, values


async def main():
    registers, bits, tags, values = build()
    slave = ModbusSlaveContext(
        di=ModbusSequentialDataBlock(0, [not bit for bit in bits]),
        co=ModbusSequentialDataBlock(0, bits),
        hr=ModbusSequentialDataBlock(0, registers),
        ir=ModbusSequentialDataBlock(0, registers),
        zero_mode=True,
    )
    context = ModbusServerContext(slaves=slave, single=True)
    port = None
    if len(sys.argv) > 1:
        server = ModbusSerialServer(context, port=sys.argv[1], baudrate=115200, parity="N")
        await server.start()
        running = asyncio.ensure_future(server.serve_forever())
    else:
        server = ModbusTcpServer(context, address=("127.0.0.1", 0))
        running = asyncio.ensure_future(server.serve_forever())
        await server.serving
        port = server.server.sockets[0].getsockname()[1]
    print(json.dumps({"ready": True, "port": port, "tags": tags, "values": values}), flush=True)
    await running


asyncio.run(main())
