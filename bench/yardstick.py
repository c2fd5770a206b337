#!/usr/bin/env python3
"""Yardstick: how fast can these databases drive a task DAG, on this machine, now?

It does only what no engine can leave out: claim a batch of task rows, hand them to worker
processes over pipes, write the results back fenced, and advance the DAG by counters. No logs,
retries, leases, limits, events, validation or API. A reference to be compared with in the same
run on the same machine, not a ceiling: overlapping its steps would beat it.

    python yardstick.py sqlite   --shape flat  --tasks 50000
    python yardstick.py postgres --dsn "host=127.0.0.1 user=postgres dbname=q" --shape fan
    python yardstick.py mysql    --dsn "mysql://root@127.0.0.1:3306/q" --shape chain

Shapes: flat = independent tasks; fan = runs of root -> 1000 -> join; chain = runs of 40 in a row.
It creates and drops its own table (ys_task). One JSON line on stdout.
Needs apsw, psycopg[binary] or PyMySQL. Batches are committed durably (the server's defaults;
SQLite: WAL, synchronous=FULL with --full, else NORMAL).
"""

import argparse
import json
import multiprocessing as mp
import os
import tempfile
import time
from multiprocessing.connection import wait
from urllib.parse import urlsplit

OWNER = 7
WAITING, READY, CLAIMED, DONE = 0, 1, 2, 3


def noop(params):
    return {"ok": 1}


def worker(pipe):
    while (batch := pipe.recv()) is not None:
        pipe.send([(task, fence, json.dumps(noop({}))) for task, fence in batch])


def layout(shape, tasks):
    """-> (runs, nodes of a run, children of each node, number of parents of each node); a task's id is run << 20 | node"""
    if shape == "flat":
        return 1, tasks, {}, {}
    if shape == "fan":
        nodes = 1002
        children = {0: range(1, 1001), **{n: [1001] for n in range(1, 1001)}}
        parents = {1001: 1000, **{n: 1 for n in range(1, 1001)}}
    else:
        nodes = 40
        children = {n: [n + 1] for n in range(39)}
        parents = {n: 1 for n in range(1, 40)}
    return max(1, tasks // nodes), nodes, children, parents


def arrivals(done, children):
    """-> [(child id, parents that just finished)], sorted by id"""
    count = {}
    for task, _, _ in done:
        for child in children.get(task & 0xFFFFF, ()):
            key = (task >> 20 << 20) | child
            count[key] = count.get(key, 0) + 1
    return sorted(count.items())


class Sqlite:
    def __init__(self, dsn, full):
        import apsw

        self.path = dsn or os.path.join(tempfile.mkdtemp(prefix="yardstick-"), "q.db")
        self.db = apsw.Connection(self.path)
        for pragma in ("journal_mode=wal", f"synchronous={'normal' if not full else 'full'}", "cache_size=-65536"):
            self.db.execute(f"pragma {pragma}")

    def load(self, tasks):
        x = self.db.execute
        x("drop table if exists ys_task")
        x("""create table ys_task(id integer primary key, state int not null, lane int not null default 1, priority int
             not null default 0, fence int not null default 0, pending int not null, owner int, started_at real,
             finished_at real, output text)""")
        x("create index ys_ready on ys_task(lane, priority, id) where state=1")
        x("begin immediate")
        self.db.executemany("insert into ys_task(id,state,pending) values(?,?,?)", tasks)
        x("commit")
        x("analyze")

    def claim(self, limit):
        self.db.execute("begin immediate")
        rows = list(
            self.db.execute(
                """update ys_task set state=2, owner=?, fence=fence+1, started_at=? where id in
               (select id from ys_task where state=1 and lane=1 order by priority,id limit ?) returning id,fence""",
                (OWNER, time.time(), limit),
            )
        )
        self.db.execute("commit")
        return rows

    def finish(self, done, children):
        now = time.time()
        self.db.execute("begin immediate")
        self.db.executemany(
            "update ys_task set state=3, finished_at=?, output=?, fence=fence+1, owner=null where id=? and fence=?",
            [(now, out, i, fence) for i, fence, out in done],
        )
        self.db.executemany(
            "update ys_task set state=iif(pending<=?1,1,state), pending=pending-?1 where id=?2",
            [(k, i) for i, k in children],
        )
        self.db.execute("commit")


class Postgres:
    def __init__(self, dsn, full):
        import psycopg

        self.db = psycopg.connect(dsn, autocommit=True)

    def load(self, tasks):
        x = self.db.execute
        x("drop table if exists ys_task")
        x("""create table ys_task(id bigint primary key, state smallint not null, lane int not null default 1,
             priority smallint not null default 0, fence int not null default 0, pending int not null, owner bigint,
             started_at timestamptz, finished_at timestamptz, output text) with (fillfactor=70)""")
        x("create index ys_ready on ys_task(lane, priority, id) where state=1")
        with self.db.cursor() as cur, cur.copy("copy ys_task(id,state,pending) from stdin") as copy:
            for row in tasks:
                copy.write_row(row)
        x("vacuum analyze ys_task")

    def claim(self, limit):
        return self.db.execute(
            f"""update ys_task set state=2, owner=%s, fence=fence+1, started_at=now() where id = any(array(
                  select id from ys_task where state=1 and lane=1 order by priority,id limit {int(limit)}
                  for no key update skip locked)) returning id,fence""",
            (OWNER,),
        ).fetchall()

    def finish(self, done, children):
        with self.db.pipeline(), self.db.transaction():
            self.db.execute(
                """update ys_task t set state=3, finished_at=now(), output=d.out, fence=t.fence+1, owner=null
                   from unnest(%s::bigint[],%s::int[],%s::text[]) d(id,fence,out) where t.id=d.id and t.fence=d.fence""",
                ([d[0] for d in done], [d[1] for d in done], [d[2] for d in done]),
            )
            if children:
                self.db.execute(
                    """update ys_task t set state=case when t.pending<=d.k then 1 else t.state end, pending=t.pending-d.k
                       from unnest(%s::bigint[],%s::int[]) d(id,k) where t.id=d.id""",
                    ([c[0] for c in children], [c[1] for c in children]),
                )


class Mysql:
    def __init__(self, dsn, full):
        import pymysql

        u = urlsplit(dsn)
        self.db = pymysql.connect(
            host=u.hostname,
            port=u.port or 3306,
            user=u.username,
            password=u.password or "",
            database=u.path.strip("/"),
            autocommit=True,
            init_command="set session transaction isolation level read committed",
        )

    def x(self, sql, args=None):
        with self.db.cursor() as cur:
            cur.execute(sql, args)
            return cur.fetchall()

    def load(self, tasks):
        self.x("drop table if exists ys_task")
        self.x("""create table ys_task(id bigint primary key, state tinyint not null, lane int not null default 1,
             priority smallint not null default 0, fence int not null default 0, pending int not null, owner bigint,
             started_at datetime(6), finished_at datetime(6), output text,
             key ys_ready(state, lane, priority, id)) engine=innodb""")
        with self.db.cursor() as cur:
            self.db.begin()
            cur.executemany("insert into ys_task(id,state,pending) values(%s,%s,%s)", tasks)
            self.db.commit()
        self.x("analyze table ys_task")

    def claim(self, limit):
        self.db.begin()
        rows = self.x(
            "select id,fence+1 from ys_task force index(ys_ready) where state=1 and lane=1 "
            "order by priority,id limit %s for update skip locked",
            (limit,),
        )
        if rows:
            ids = ",".join(str(r[0]) for r in sorted(rows))
            self.x(
                f"update ys_task set state=2, owner=%s, fence=fence+1, started_at=now(6) where id in ({ids})", (OWNER,)
            )
        self.db.commit()
        return list(rows)

    def finish(self, done, children):
        self.db.begin()
        self.x(
            """update json_table(%s,'$[*]' columns(id bigint path '$[0]', fence int path '$[1]',
                  output longtext path '$[2]')) d straight_join ys_task t on t.id=d.id and t.fence=d.fence
                  set t.state=3, t.finished_at=now(6), t.output=d.output, t.fence=t.fence+1, t.owner=null""",
            (json.dumps(done),),
        )
        if children:
            self.x(
                """update json_table(%s,'$[*]' columns(id bigint path '$[0]', k int path '$[1]')) d
                      straight_join ys_task t on t.id=d.id set t.state=if(t.pending<=d.k,1,t.state), t.pending=t.pending-d.k""",
                (json.dumps(children),),
            )
        self.db.commit()


def main():
    arg = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arg.add_argument("backend", choices=["sqlite", "postgres", "mysql"])
    arg.add_argument("--dsn", default="")
    arg.add_argument("--shape", choices=["flat", "fan", "chain"], default="flat")
    arg.add_argument("--tasks", type=int, default=30000)
    arg.add_argument("--batch", type=int, default=200)
    arg.add_argument("--workers", type=int, default=2)
    arg.add_argument("--full", action="store_true", help="SQLite: synchronous=FULL")
    a = arg.parse_args()

    runs, nodes, children, parents = layout(a.shape, a.tasks)
    total = runs * nodes
    context = mp.get_context("forkserver")
    pipes = []
    for _ in range(a.workers):
        here, there = context.Pipe()
        context.Process(target=worker, args=(there,), daemon=True).start()
        pipes.append(here)
    queue = {"sqlite": Sqlite, "postgres": Postgres, "mysql": Mysql}[a.backend](a.dsn, a.full)
    queue.load(
        [
            (r << 20 | n, WAITING if parents.get(n) else READY, parents.get(n, 0))
            for r in range(1, runs + 1)
            for n in range(nodes)
        ]
    )

    idle, busy, buffer, finished = list(pipes), set(), [], 0
    started = time.perf_counter()
    while finished < total:
        if idle and not buffer:
            buffer = queue.claim(a.batch * len(idle))
        while idle and buffer:
            pipe = idle.pop()
            pipe.send(buffer[: a.batch])
            del buffer[: a.batch]
            busy.add(pipe)
        done = []
        for pipe in wait(list(busy)):
            done += pipe.recv()
            busy.discard(pipe)
            idle.append(pipe)
        done.sort()
        queue.finish(done, arrivals(done, children))
        finished += len(done)
    seconds = time.perf_counter() - started
    for pipe in pipes:
        pipe.send(None)
    print(
        json.dumps(
            {
                "backend": a.backend,
                "shape": a.shape,
                "tasks": total,
                "batch": a.batch,
                "workers": a.workers,
                "seconds": round(seconds, 3),
                "tasks_per_s": round(total / seconds),
            }
        )
    )


if __name__ == "__main__":
    main()
