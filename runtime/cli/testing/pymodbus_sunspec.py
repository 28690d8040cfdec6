"""A Modbus server with a device identification and two SunSpec models.

Speaks Modbus TCP and prints its port as JSON, or RTU as unit 3 on the serial port that is its argument.
"""
import asyncio
import json
import sys

from pymodbus.datastore import ModbusServerContext, ModbusSlaveContext, ModbusSparseDataBlock
from pymodbus.device import ModbusDeviceIdentification
from pymodbus.server.async_io import ModbusSerialServer, ModbusTcpServer


def registers():
    words = {40000: 0x5375, 40001: 0x6E53}
    words |= {40002: 1, 40003: 66} | {40004 + at: 0 for at in range(66)}
    words |= {40070: 103, 40071: 50} | {40072 + at: 0 for at in range(50)}
    words |= {40122: 0xFFFF, 40123: 0}
    # The blocks of this library count from 1.
    return ModbusSparseDataBlock({address + 1: word for address, word in words.items()})


async def main():
    block = registers()
    unit = ModbusSlaveContext(di=block, co=block, hr=block, ir=block)
    identity = ModbusDeviceIdentification()
    identity.VendorName = "ACME"
    identity.ProductCode = "Sun 8000"
    identity.MajorMinorRevision = "1.2\n- name: another\x1b[2J"
    if len(sys.argv) > 1:
        context = ModbusServerContext(slaves={3: unit}, single=False)
        server = ModbusSerialServer(
            context, identity=identity, port=sys.argv[1], baudrate=19200, parity="N", ignore_missing_slaves=True
        )
        await server.start()
        print(json.dumps({"port": 0}), flush=True)
        await server.serve_forever()
        return
    context = ModbusServerContext(slaves=unit, single=True)
    server = ModbusTcpServer(context, identity=identity, address=("127.0.0.1", 0))
    running = asyncio.ensure_future(server.serve_forever())
    await server.serving
    print(json.dumps({"port": server.server.sockets[0].getsockname()[1]}), flush=True)
    await running


asyncio.run(main())
