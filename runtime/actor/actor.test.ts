import { describe, expect, it } from "vitest";
import { VirtualClock } from "../ports/virtual-clock.ts";
import {
  type Actor,
  ActorSystem,
  AskError,
  ask,
  type Context,
  oneForOne,
  type Props,
  type Ref,
  type Terminated,
} from "./index.ts";

/** A system whose time stands still and whose hooks are written down. */
function setup(stopTimeoutMs = 1000) {
  const clock = new VirtualClock();
  const events: string[] = [];
  const system = new ActorSystem({
    clock,
    stopTimeoutMs,
    supervision: oneForOne({ backoff: { initialMs: 100, maxMs: 1000, multiplier: 2, jitter: 0 }, exhausted: "stop" }),
    hooks: {
      onFailure: ({ path, error, directive }) => events.push(`${path} ${(error as Error).message}: ${directive}`),
      onRestart: (path) => events.push(`${path} restarts`),
      onUndeliverable: (path, message) => events.push(`${path} undeliverable ${JSON.stringify(message)}`),
    },
  });
  return { clock, events, system, settle: () => clock.advance(0) };
}

/** An actor of the parts given, with a `receive` that ignores what it gets. */
function props<M>(actor: Partial<Actor<M>> | (() => Partial<Actor<M>>), more: Partial<Props<M>> = {}): Props<M> {
  const create = typeof actor === "function" ? actor : () => actor;
  return { create: () => ({ receive() {}, ...create() }), ...more };
}

const crash = (message = "boom"): never => {
  throw new Error(message);
};

const reasonOf = ({ reason }: Terminated) => reason.kind;

describe("mail", () => {
  it("arrives in the order it was told, never inside tell", async () => {
    const { system } = setup();
    const all = Array.from({ length: 5000 }, (_, n) => n);
    const seen: number[] = [];
    const last = Promise.withResolvers<void>();
    const ref = system.spawn<number>(
      props({
        receive(n) {
          if (seen.push(n) === all.length) last.resolve();
        },
      }),
    );
    for (const n of all) ref.tell(n);
    expect(seen).toEqual([]);
    await last.promise;
    expect(seen).toEqual(all);
  });

  it("waits while a promise of the former message is pending", async () => {
    const { system, settle } = setup();
    const gate = Promise.withResolvers<void>();
    const seen: string[] = [];
    const ref = system.spawn<string>(
      props({
        async receive(message) {
          seen.push(`${message} begins`);
          await gate.promise;
          seen.push(`${message} ends`);
        },
      }),
    );
    ref.tell("a");
    ref.tell("b");
    await settle();
    expect(seen).toEqual(["a begins"]);
    gate.resolve();
    await settle();
    expect(seen).toEqual(["a begins", "a ends", "b begins", "b ends"]);
  });

  it("gives way to system messages: a stop overtakes what waits", async () => {
    const { system, events } = setup();
    const gate = Promise.withResolvers<void>();
    const seen: string[] = [];
    const started = Promise.withResolvers<void>();
    const ref = system.spawn<string>(
      props({
        async receive(message) {
          seen.push(message);
          started.resolve();
          await gate.promise;
        },
        stopped: (_ctx, reason) => void seen.push(reason.kind),
      }),
    );
    ref.tell("first");
    ref.tell("second");
    await started.promise;
    const stopped = system.stop(ref);
    ref.tell("third");
    gate.resolve();
    expect(reasonOf(await stopped)).toBe("stop");
    expect(seen).toEqual(["first", "stop"]);
    expect(events).toEqual([`${ref.path} undeliverable "third"`, `${ref.path} undeliverable "second"`]);
  });

  it("to a stopped actor is undeliverable and reported", async () => {
    const { system, events } = setup();
    const ref = system.spawn<number>(props({}), "a");
    await system.stop(ref);
    ref.tell(7);
    expect(events).toEqual(["/a undeliverable 7"]);
  });

  it("that two actors send each other for ever does not hold up timers and I/O", async () => {
    const system = new ActorSystem();
    let hops = 0;
    interface Ball {
      readonly to: Ref<Ball>;
    }
    const player = props<Ball>({
      receive({ to }, ctx) {
        hops++;
        to.tell({ to: ctx.self });
      },
    });
    const other = system.spawn(player);
    system.spawn(player).tell({ to: other });
    await new Promise((resolve) => setTimeout(resolve, 1));
    expect(hops).toBeGreaterThan(0);
    await system.shutdown();
  });
});

describe("a failure", () => {
  const counting = (seen: string[]) => () => {
    let count = 0;
    return {
      receive(message: string) {
        if (message === "crash") crash();
        seen.push(`${message} ${++count}`);
      },
    };
  };

  it("that resumes keeps the state and loses the message only", async () => {
    const { system, settle, events } = setup();
    const seen: string[] = [];
    const parent = system.spawn<never>(
      props(
        {
          started(ctx) {
            const child = ctx.spawn(props(counting(seen)), "child");
            for (const message of ["a", "crash", "b"]) child.tell(message);
          },
        },
        { supervision: oneForOne({ decide: () => "resume" }) },
      ),
      "p",
    );
    await settle();
    expect(seen).toEqual(["a 1", "b 2"]);
    expect(events).toEqual([`${parent.path}/child boom: resume`]);
  });

  it("that restarts makes the actor anew after the backoff; the mail that waits survives, the message at fault does not", async () => {
    const { system, clock, settle, events } = setup();
    const seen: string[] = [];
    const ref = system.spawn(props(counting(seen)), "a");
    for (const message of ["a", "crash", "b"]) ref.tell(message);
    await settle();
    await clock.advance(99);
    expect(seen).toEqual(["a 1"]);
    expect(system.actors()).toEqual([{ path: "/a", state: "suspended", mail: 1, restarts: 0 }]);
    await clock.advance(1);
    expect(seen).toEqual(["a 1", "b 1"]);
    expect(events).toEqual(["/a boom: restart", "/a restarts"]);
    expect(system.actors()).toEqual([{ path: "/a", state: "running", mail: 0, restarts: 1 }]);
  });

  it.each(["sync", "async"] as const)("in started (%s) is tried again with growing backoff", async (kind) => {
    const { system, clock, settle } = setup();
    const starts: number[] = [];
    const started = () => {
      starts.push(clock.now());
      if (starts.length < 4) crash();
    };
    const ref = system.spawn<number>(props({ started: kind === "sync" ? started : async () => started() }));
    await settle();
    await clock.advance(2000);
    expect(starts).toEqual([0, 100, 300, 700]);
    expect(system.actors()).toEqual([{ path: ref.path, state: "running", mail: 0, restarts: 3 }]);
  });

  it("in create is a failure like any other", async () => {
    const { system, clock, settle } = setup();
    let creations = 0;
    const seen: string[] = [];
    const ref = system.spawn<string>({
      create() {
        if (++creations === 1) crash();
        return { receive: (message) => void seen.push(message) };
      },
    });
    ref.tell("kept");
    await settle();
    await clock.advance(100);
    expect(seen).toEqual(["kept"]);
  });

  it("that stops ends the actor with the error as its reason", async () => {
    const { system } = setup();
    const child = Promise.withResolvers<Terminated>();
    system.spawn<never>(
      props(
        {
          started(ctx) {
            const ref = ctx.spawn(props<string>({ receive: () => crash("fatal") }));
            ctx.watch(ref, child.resolve);
            ref.tell("go");
          },
        },
        { supervision: oneForOne({ decide: () => "stop" }) },
      ),
    );
    expect((await child.promise).reason).toMatchObject({ kind: "failure", error: { message: "fatal" } });
  });

  it("that escalates is the supervisor's own: it restarts, and its children stop first", async () => {
    const { system, clock, settle, events } = setup();
    const life: string[] = [];
    let crashes = 0;
    system.spawn<never>(
      props(
        () => ({
          started(ctx) {
            life.push("parent starts");
            ctx.spawn(props<never>({ stopped: () => void life.push("sibling stops") }), "sibling");
            ctx
              .spawn(
                props<string>({
                  receive: () => (crashes++ === 0 ? crash() : undefined),
                  stopped: () => void life.push("child stops"),
                }),
                "child",
              )
              .tell("go");
          },
          stopped: (_ctx, reason) => void life.push(`parent ${reason.kind}`),
        }),
        { supervision: oneForOne({ decide: () => "escalate" }) },
      ),
      "p",
    );
    await settle();
    await clock.advance(100);
    // Among themselves, siblings stop in any order.
    expect([life[0], life.slice(1, 3).sort(), ...life.slice(3)]).toEqual([
      "parent starts",
      ["child stops", "sibling stops"],
      "parent restart",
      "parent starts",
    ]);
    expect(events).toEqual(["/p/child boom: escalate", "/p boom: restart", "/p restarts"]);
    expect(system.actors().map(({ path, state }) => `${path} ${state}`)).toEqual([
      "/p running",
      "/p/sibling running",
      "/p/child running",
    ]);
  });

  it("that escalates to a supervisor which resumes leaves both as they were", async () => {
    const { system, settle } = setup();
    const seen: string[] = [];
    system.spawn<never>(
      props(
        {
          started(ctx) {
            const parent = props<never>(
              {
                started(inner) {
                  const child = inner.spawn(props(counting(seen)), "child");
                  for (const message of ["a", "crash", "b"]) child.tell(message);
                },
              },
              { supervision: oneForOne({ decide: () => "escalate" }) },
            );
            ctx.spawn(parent, "parent");
          },
        },
        { supervision: oneForOne({ decide: () => "resume" }) },
      ),
    );
    await settle();
    expect(seen).toEqual(["a 1", "b 2"]);
  });

  it("that gets to the top stops the actor it came from", async () => {
    const clock = new VirtualClock();
    const system = new ActorSystem({ clock, supervision: oneForOne({ decide: () => "escalate" }) });
    const ref = system.spawn<string>(props({ receive: () => crash() }));
    ref.tell("go");
    expect(reasonOf(await system.terminated(ref))).toBe("failure");
  });

  it.each([
    ["stop", "failure"],
    ["escalate", "restart"],
  ] as const)("past the restart budget is answered as configured: %s", async (exhausted, outcome) => {
    const { system, clock, settle } = setup();
    let starts = 0;
    const ends: string[] = [];
    system.spawn<never>(
      props(
        () => ({
          started(ctx) {
            const child = ctx.spawn(
              props<never>({
                started() {
                  starts++;
                  crash();
                },
              }),
            );
            ctx.watch(child, ({ reason }) => void ends.push(reason.kind));
          },
          stopped: (_ctx, reason) => void ends.push(reason.kind),
        }),
        {
          supervision: oneForOne({
            exhausted,
            budget: { restarts: 3, withinMs: 10_000 },
            backoff: { initialMs: 10, maxMs: 10, multiplier: 1, jitter: 0 },
          }),
        },
      ),
    );
    await settle();
    await clock.advance(40);
    expect(starts).toBe(4);
    expect(ends).toEqual([outcome]);
  });

  it("of a child is answered although its parent is in the middle of a message", async () => {
    const { system, clock, settle } = setup();
    let starts = 0;
    const parent = system.spawn<string>(
      props({
        started(ctx) {
          ctx.spawn(
            props<never>({
              started() {
                if (++starts < 3) crash();
              },
            }),
          );
        },
        receive: () => new Promise(() => {}),
      }),
    );
    parent.tell("busy for ever");
    await settle();
    await clock.advance(1000);
    expect(starts).toBe(3);
  });
});

describe("ctx.run", () => {
  it("makes the task's rejection the actor's failure, aborts the rest and waits for its end before the restart", async () => {
    const { system, clock, settle, events } = setup();
    const life: string[] = [];
    const end = Promise.withResolvers<void>();
    let incarnation = 0;
    system.spawn<never>(
      props(() => {
        const id = ++incarnation;
        return {
          started(ctx: Context<never>) {
            life.push(`${id} starts`);
            if (id > 1) return;
            ctx.run(async (signal) => {
              await ctx.clock.sleep(1000, signal).catch(() => {});
              life.push(`long task aborted: ${signal.aborted}`);
              await end.promise;
            });
            ctx.run(async () => crash("task"));
          },
          stopped: () => void life.push(`${id} stops`),
        };
      }),
      "a",
    );
    await settle();
    await clock.advance(500);
    expect(life).toEqual(["1 starts", "long task aborted: true"]);
    end.resolve();
    await settle();
    await clock.advance(100);
    expect(life).toEqual(["1 starts", "long task aborted: true", "1 stops", "2 starts"]);
    expect(events).toEqual(["/a task: restart", "/a restarts"]);
  });

  it("ends with a stop, and what it throws then is no failure", async () => {
    const { system, settle, events } = setup();
    const ref = system.spawn<never>(props({ started: (ctx) => ctx.run((signal) => ctx.clock.sleep(1e9, signal)) }));
    await settle();
    await system.stop(ref);
    expect(events).toEqual([]);
  });

  it("that ignores its signal past the deadline costs the actor its restart: given up, and its supervisor told", async () => {
    const { system, clock, settle, events } = setup(1000);
    let starts = 0;
    let child: Promise<Terminated> | undefined;
    system.spawn<never>(
      props(
        () => ({
          started(ctx) {
            if (++starts > 1) return;
            const ref = ctx.spawn<string>(
              props({ started: (inner) => inner.run(() => new Promise(() => {})), receive: () => crash() }),
              "stuck",
            );
            child = system.terminated(ref);
            ref.tell("go");
          },
        }),
        { supervision: oneForOne() },
      ),
      "p",
    );
    await settle();
    await clock.advance(1000);
    expect(await child).toMatchObject({ reason: { kind: "timeout" } });
    await clock.advance(100);
    expect(starts).toBe(2);
    expect(events).toEqual([
      "/p/stuck boom: restart",
      "/p /p/stuck did not end within 1000 ms to be restarted: restart",
      "/p restarts",
    ]);
  });
});

describe("stop", () => {
  const tree = (life: string[], depth: number): Props<string> =>
    props<string>({
      started(ctx) {
        if (depth > 0) for (const name of ["l", "r"]) ctx.spawn(tree(life, depth - 1), name);
      },
      stopped: async (ctx) => {
        // The deeper, the slower: whoever does not wait for its children is first.
        for (let i = 0; i < 3 - depth; i++) await new Promise((resolve) => setImmediate(resolve));
        life.push(ctx.self.path);
      },
    });

  it("goes depth first: an actor is told when its children have stopped", async () => {
    const { system, settle } = setup();
    const life: string[] = [];
    system.spawn(tree(life, 2), "t");
    await settle();
    await system.shutdown();
    expect(life).toHaveLength(7);
    for (const [index, path] of life.entries()) {
      expect(life.slice(index + 1).filter((later) => later.startsWith(`${path}/`))).toEqual([]);
    }
    expect(system.actors()).toEqual([]);
    expect(() => system.spawn(tree(life, 0))).toThrow("stops");
  });

  it("aborts the signal at once, in the middle of a message", async () => {
    const { system, settle, events } = setup();
    const ref = system.spawn<string>(props({ receive: (_message, ctx) => ctx.clock.sleep(1e9, ctx.signal) }));
    ref.tell("long");
    await settle();
    expect(reasonOf(await system.stop(ref))).toBe("stop");
    expect(events).toEqual([]);
  });

  it("interrupts a backoff", async () => {
    const { system, clock, settle } = setup();
    const ref = system.spawn<string>(props({ receive: () => crash() }));
    ref.tell("go");
    await settle();
    await system.stop(ref);
    expect(clock.nextAt).toBeNull();
  });

  it("gives up at the deadline what does not stop, and frees its name", async () => {
    const { system, clock, settle } = setup();
    const ref = system.spawn<string>(
      props({
        started: (ctx) => void ctx.spawn(props<never>({ stopped: () => new Promise(() => {}) }), "hung"),
      }),
      "a",
    );
    await settle();
    const stopped = system.stop(ref, 50);
    await clock.advance(50);
    expect(await stopped).toMatchObject({ reason: { kind: "timeout" } });
    expect(system.actors()).toEqual([]);
    expect(system.spawn(props({}), "a").path).toBe("/a");
  });

  it("goes on when `stopped` throws, which is reported", async () => {
    const { system, settle, events } = setup();
    const ref = system.spawn<string>(props({ stopped: () => crash("unclean") }), "a");
    await settle();
    expect(reasonOf(await system.stop(ref))).toBe("stop");
    expect(events).toEqual(["/a unclean: resume"]);
  });

  it("of an actor that never started skips `stopped`", async () => {
    const { system } = setup();
    let stops = 0;
    await system.stop(system.spawn<string>(props({ stopped: () => void stops++ })));
    expect(stops).toBe(0);
  });
});

describe("drain", () => {
  it("handles the mail there is, then what the children tell while they finish, then stops", async () => {
    const { system, settle, events } = setup();
    const seen: string[] = [];
    const ref = system.spawn<string>(
      props({
        receive(message, ctx) {
          seen.push(message);
          if (message.startsWith("done")) return;
          const child = ctx.spawn(props<string>({ receive: async (work) => ctx.self.tell(`done ${work}`) }));
          child.tell(message);
        },
        stopped: (_ctx, reason) => void seen.push(reason.kind),
      }),
      "a",
    );
    ref.tell("1");
    ref.tell("2");
    await settle();
    ref.tell("3");
    const drained = system.drain(ref);
    expect(reasonOf(await drained)).toBe("drain");
    expect(seen).toEqual(["1", "2", "done 1", "done 2", "3", "done 3", "drain"]);
    expect(events).toEqual([]);
  });

  it("becomes a stop at the deadline", async () => {
    const { system, clock, settle } = setup();
    const ref = system.spawn<string>(props({ receive: (_message, ctx) => ctx.clock.sleep(1e9, ctx.signal) }));
    ref.tell("long");
    await settle();
    const drained = system.drain(ref, 50);
    await clock.advance(50);
    expect(reasonOf(await drained)).toBe("stop");
  });
});

describe("watch", () => {
  it("calls back as a system message, ahead of the mail that waits, and at once for what had stopped before", async () => {
    const { system, settle } = setup();
    const seen: string[] = [];
    const other = system.spawn<string>(props({}), "other");
    const gate = Promise.withResolvers<void>();
    const ref = system.spawn<string>(
      props({
        started: (ctx) => ctx.watch(other, ({ ref: { path }, reason }) => void seen.push(`${path} ${reason.kind}`)),
        async receive(message, ctx) {
          if (message === "wait") await gate.promise;
          if (message === "again") ctx.watch(other, ({ ref: { path } }) => void seen.push(`${path} again`));
          seen.push(message);
        },
      }),
    );
    for (const message of ["wait", "again"]) ref.tell(message);
    await settle();
    await system.stop(other);
    gate.resolve();
    await settle();
    expect(seen).toEqual(["wait", "/other stop", "again", "/other again"]);
  });

  it("makes what its callback throws the watcher's failure, and ends with the incarnation", async () => {
    const { system, clock, settle, events } = setup();
    const [a, b] = [system.spawn<string>(props({}), "a"), system.spawn<string>(props({}), "b")];
    let incarnations = 0;
    system.spawn<string>(
      props(() => ({
        started(ctx: Context<string>) {
          if (++incarnations > 1) return;
          ctx.watch(a, () => crash("lost a"));
          ctx.watch(b, () => crash("lost b"));
        },
      })),
      "w",
    );
    await settle();
    await system.stop(a);
    await settle();
    await clock.advance(100);
    await system.stop(b);
    await settle();
    expect(events).toEqual(["/w lost a: restart", "/w restarts"]);
  });
});

describe("spawn", () => {
  it("refuses a name that is taken or holds a slash, and frees it when the actor has stopped", async () => {
    const { system } = setup();
    const ref = system.spawn(props({}, { name: "a" }));
    expect(ref.path).toBe("/a");
    expect(() => system.spawn(props({}), "a")).toThrow('named "a"');
    expect(() => system.spawn(props({}), "a/b")).toThrow("cannot name");
    await system.stop(ref);
    expect(system.spawn(props({}), "a").path).toBe("/a");
  });

  it("is refused to an incarnation that is over", async () => {
    const { system, clock, settle } = setup();
    const contexts: Context<string>[] = [];
    const ref = system.spawn<string>(props({ started: (ctx) => void contexts.push(ctx), receive: () => crash() }), "a");
    ref.tell("go");
    await settle();
    await clock.advance(100);
    const [old, current] = contexts as [Context<string>, Context<string>];
    expect(() => old.spawn(props({}))).toThrow(/abort/i);
    const child = current.spawn(props({}), "child");
    expect(current.children).toEqual([child]);
    expect(current.parent?.path).toBe("");
  });
});

describe("ask", () => {
  interface Question {
    readonly n: number;
    readonly reply: (answer: number) => void;
  }

  it("resolves with the first answer", async () => {
    const { system, clock } = setup();
    const ref = system.spawn<Question>(props({ receive: ({ n, reply }) => reply(n * 2) }));
    expect(await ask(ref, (reply: (answer: number) => void) => ({ n: 21, reply }), 1000)).toBe(42);
    expect(clock.nextAt).toBeNull();
  });

  it("rejects when no answer came in time", async () => {
    const { system, clock } = setup();
    const ref = system.spawn<Question>(props({}), "mute");
    const asked = ask(ref, (reply: (answer: number) => void) => ({ n: 1, reply }), 1000);
    const refused = expect(asked).rejects.toThrow(new AskError("/mute gave no answer within 1000 ms"));
    await clock.advance(1000);
    await refused;
  });

  it("rejects at once when the actor stops, or had stopped before", async () => {
    const { system, settle } = setup();
    const ref = system.spawn<Question>(props({}), "a");
    await settle();
    const asked = ask(ref, (reply: (answer: number) => void) => ({ n: 1, reply }), 1000);
    const refused = expect(asked).rejects.toThrow("/a has stopped");
    await system.stop(ref);
    await refused;
    await expect(ask(ref, (reply: (answer: number) => void) => ({ n: 1, reply }), 1000)).rejects.toThrow("has stopped");
  });
});
