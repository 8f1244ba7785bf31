/**
 * The baseline of the benchmark `shuffle`: one object store per node, in the node's own process, which spills to disk when
 * it is full, and which others fetch from over TCP.
 *
 * Built as well as Node allows: received straight into the memory where the object will lie, written to the socket from
 * where it lies, several megabytes at a time, without a copy in JavaScript on either side. Spilled objects go through the
 * operating system's page cache, which is memory that no store's share counts.
 */
import { once } from 'node:events';
import { type FileHandle, open } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

const HIGH_WATER_BYTES = 16 * 2 ** 20;
/** What an object's bytes are received into when nothing is expected. */
const NOTHING = new Uint8Array(1);

export interface Wanted {
  readonly id: number;
  readonly size: number;
}

interface Spilled {
  readonly offset: number;
  readonly size: number;
}

export class ObjectStore {
  private readonly capacity: number;
  private readonly objects = new Map<number, Uint8Array>();
  private readonly spills = new Map<number, Spilled>();
  private readonly sockets = new Set<Socket>();
  private readonly file: FileHandle;
  private readonly server: Server;
  private usedBytes = 0;
  private peakBytes = 0;
  private spilledTotal = 0;

  private constructor(capacity: number, file: FileHandle, server: Server) {
    this.capacity = capacity;
    this.file = file;
    this.server = server;
    server.on('connection', (socket) => {
      this.sockets.add(socket);
      void this.serve(socket);
    });
  }

  /** `spillPath` is made anew. */
  static async open(capacity: number, spillPath: string): Promise<ObjectStore> {
    const server = createServer({ noDelay: true, highWaterMark: HIGH_WATER_BYTES });
    const file = await open(spillPath, 'wx+');
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new ObjectStore(capacity, file, server);
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get spilledBytes(): number {
    return this.spilledTotal;
  }

  /** The most that lay in memory at a time. */
  get peak(): number {
    return this.peakBytes;
  }

  /** Takes the bytes over: into memory, or where that is full onto disk. */
  async put(id: number, bytes: Uint8Array): Promise<void> {
    if (this.reserve(bytes.length)) this.objects.set(id, bytes);
    else await this.spill(id, bytes);
  }

  private reserve(size: number): boolean {
    if (this.usedBytes + size > this.capacity) return false;
    this.usedBytes += size;
    this.peakBytes = Math.max(this.peakBytes, this.usedBytes);
    return true;
  }

  private async spill(id: number, bytes: Uint8Array): Promise<void> {
    const place = { offset: this.spilledTotal, size: bytes.length };
    this.spilledTotal += bytes.length;
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await this.file.write(bytes, done, bytes.length - done, place.offset + done);
      done += bytesWritten;
    }
    this.spills.set(id, place);
  }

  /** From memory as it lies there; from disk a fresh copy. */
  async read(id: number): Promise<Uint8Array> {
    const bytes = this.objects.get(id);
    if (bytes !== undefined) return bytes;
    const place = this.spills.get(id);
    if (place === undefined) throw new Error(`Object ${id} is not in this store.`);
    const copy = Buffer.allocUnsafeSlow(place.size);
    for (let done = 0; done < place.size; ) {
      const { bytesRead } = await this.file.read(copy, done, place.size - done, place.offset + done);
      if (bytesRead === 0) throw new Error(`Object ${id} is cut off.`);
      done += bytesRead;
    }
    return copy;
  }

  /** Forgets an object that is in memory. */
  drop(id: number): void {
    const bytes = this.objects.get(id);
    if (bytes === undefined) return;
    this.objects.delete(id);
    this.usedBytes -= bytes.length;
  }

  /** A request is a count and as many ids; the answer is the objects' bytes in that order. */
  private async serve(socket: Socket): Promise<void> {
    let request = Buffer.alloc(0);
    for await (const chunk of socket) {
      request = Buffer.concat([request, chunk as Buffer]);
      if (request.length < 4 || request.length < 4 + 4 * request.readUInt32LE(0)) continue;
      for (let at = 4; at < request.length; at += 4) {
        if (!socket.write(await this.read(request.readUInt32LE(at)))) await once(socket, 'drain');
      }
      request = Buffer.alloc(0);
    }
    this.sockets.delete(socket);
  }

  /** Fetches the objects from the store at the port, one after another over one connection. */
  fetch(port: number, all: readonly Wanted[]): Promise<void> {
    const wanted = all.filter(({ size }) => size > 0);
    return new Promise((resolve, reject) => {
      const arrival = new Arrival(wanted, (size) => this.reserve(size));
      const request = new Uint32Array([wanted.length, ...wanted.map(({ id }) => id)]);
      const next = () => {
        if (arrival.isOver) {
          socket.destroy();
          resolve();
        } else socket.resume();
      };
      const socket = connect({
        port,
        host: '127.0.0.1',
        noDelay: true,
        onread: {
          buffer: () => arrival.rest(),
          callback: (length) => {
            const { id, bytes, isStaged } = arrival.current;
            if (!arrival.advance(length)) return true;
            if (!isStaged) {
              this.objects.set(id, bytes);
              if (arrival.isOver) next();
              return true;
            }
            // Nothing is read into the staging memory until it is on disk.
            this.spill(id, bytes).then(next, reject);
            return false;
          },
        },
      });
      socket.on('error', reject);
      if (wanted.length === 0) next();
      else socket.write(new Uint8Array(request.buffer));
    });
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    await this.file.close();
  }
}

interface Arriving {
  readonly id: number;
  readonly bytes: Uint8Array;
  readonly isStaged: boolean;
}

/** Where the bytes of one connection go. Objects for which there is no room in memory are staged one at a time. */
class Arrival {
  private readonly wanted: readonly Wanted[];
  private readonly reserve: (size: number) => boolean;
  private staging = NOTHING;
  private number = 0;
  private received = 0;
  private arriving: Arriving | undefined;

  constructor(wanted: readonly Wanted[], reserve: (size: number) => boolean) {
    this.wanted = wanted;
    this.reserve = reserve;
  }

  get isOver(): boolean {
    return this.number === this.wanted.length;
  }

  get current(): Arriving {
    this.arriving ??= this.begin();
    return this.arriving;
  }

  private begin(): Arriving {
    const { id, size } = this.wanted[this.number] as Wanted;
    const isStaged = !this.reserve(size);
    if (!isStaged) return { id, bytes: Buffer.allocUnsafeSlow(size), isStaged };
    if (this.staging.length < size) this.staging = Buffer.allocUnsafeSlow(size);
    return { id, bytes: this.staging.subarray(0, size), isStaged };
  }

  /** What of the present object is still to come. */
  rest(): Uint8Array {
    return this.isOver ? NOTHING : this.current.bytes.subarray(this.received);
  }

  /** So many bytes came. True when the object is whole. */
  advance(length: number): boolean {
    this.received += length;
    if (this.received < this.current.bytes.length) return false;
    this.number++;
    this.received = 0;
    this.arriving = undefined;
    return true;
  }
}
