// A Peer that another process plays with, one JSON line a call: the Python tests drive it through their model network.
import { createInterface } from "node:readline";
import { DEFAULTS } from "../src/config.ts";
import { Peer } from "../src/peer.ts";

let peer: Peer;
for await (const line of createInterface({ input: process.stdin })) {
  const [method, argument, now] = JSON.parse(line) as [string, string, number];
  let result: unknown = null;
  switch (method) {
    case "new":
      peer = new Peer(argument, { ...DEFAULTS, frameLimit: 400, ackSeconds: 1 });
      break;
    case "connect":
      result = peer!.connect(now);
      break;
    case "open":
      peer!.open();
      break;
    case "send":
      peer!.send(argument);
      break;
    case "ping":
      peer!.ping();
      break;
    case "receive":
      result = peer!.receive(argument, now);
      break;
    case "tick":
      peer!.tick(now);
      break;
    case "take":
      result = peer!.take(now);
      break;
  }
  process.stdout.write(JSON.stringify(result) + "\n");
}
