"""The agent: restore, set up, run, save, report, go home. Started by the boot script with the boarding pass."""

import contextlib
import errno
import json
import os
import sys
import threading
import time
from functools import partial

from . import times
from .arrival import Arrival, GivenUp, patiently
from .aws import Imds, Unreachable
from .home import crash, give_memory_back, go_home
from .journal import Journal
from .metrics import Metrics
from .program import NOT_FOUND, Program, end_all, environment, started_for
from .pulse import Pulse
from .report import Report, ended
from .snapshot import Superseded
from .store import Denied, Missing, Store
from .venv import with_python
from .watch import Watch
from .writers import Cuts

TICK = 0.1
UNREADABLE = 5
"""Seconds of tries for what cannot be read, or is written though the program has ended."""
TORN = 3.0
"""Seconds before the end of a program that was cut off in which what it wrote may be half a file."""
AFTER_THE_END = 60.0
"""How long after the announced end of the machine it is still believed to be coming."""


class NotStarted(Exception):
    """The machine is not wanted any more, or about to go, before the program has begun."""


class Agent:
    """One job's attempt on this machine."""

    def __init__(self, boarding):
        self.boarding = boarding
        self.imds = Imds()
        self.patiently = partial(patiently, boarding["last_upload_seconds"])
        self.store = Store(self.imds, boarding["bucket"], boarding["region"])
        self.home = os.path.join(os.environ.get("HOME") or "/root", "accelctl")
        self.work = os.path.join(self.home, "work")
        self.interruption_file = os.path.join(self.home, "interruption.json")
        here = "%sattempts/%d/logs/%d/" % (boarding["prefix"], boarding["attempt"], boarding["rank"])
        self.journal = Journal(self.store, here, os.path.join(self.home, "output.log"))
        self.report = Report(self.store, boarding, self.patiently(lambda: self.imds.get("meta-data/instance-id")))
        self.watch = Watch(self.imds, self.store, boarding)
        self.metrics = Metrics(self.imds, boarding, self.report)
        self.pulse = Pulse(self.imds, self.store, boarding, self.report.instance_id)
        self.snapshots = self.task = self.program = None
        self.over = threading.Event()
        self.saving = threading.Lock()
        self.announced = self.advised = False
        self.kill_at = None
        self.trouble = ""
        """Why the last snapshot is not in the store, as the output was told."""

    # the whole of it --------------------------------------------------------------------------------------------------

    def run(self):
        self.task = self.patiently(lambda: json.loads(self.store.get(self.boarding["prefix"] + "task.json")))
        self.background(self.watch.look_on, self.over)
        self.background(self.journal.ship_on, self.over)
        self.background(self.metrics.send_on, self.over)
        self.background(self.beat)
        try:
            reason, code, message = self.work_through()
        except GivenUp as problem:
            reason, code, message = "failed", problem.code, str(problem)
        except NotStarted:
            reason, code, message = self.stopped(None)
        except OSError as problem:
            if problem.errno != errno.ENOSPC:
                raise
            reason, code, message = "failed", None, "the machine's disk is full; ask for a larger one with --disk"
        self.end(reason, code, message)

    def work_through(self):
        """Reason, exit code and message of the end."""
        arrival = Arrival(self.store, self.boarding, self.task, self.journal, self.work)
        arrival.bring_work_folder()
        self.snapshots = arrival.bring_checkpoint(self.report)
        region = self.patiently(self.imds.region)
        secrets = arrival.find_secrets(self.imds)
        found = environment(self.task, self.boarding, secrets, self.work, self.interruption_file, region)
        found = with_python(found, self.home, self.journal.say)
        if self.task["setup"]:
            self.report.note(phase="setup")
            code = self.attend(["/bin/bash", "-c", self.task["setup"]], found, "the set-up command")
            if code:
                return self.verdict(code, "the set-up command failed with exit code %d" % code)
        self.background(self.save_on)
        self.report.note(phase="run", started_at=times.now())
        code = self.attend(self.task["command"], found, "the program")
        self.report.note(program_ended_at=times.now())
        return self.verdict(code, "the program failed with exit code %d" % code)

    def verdict(self, code, failure):
        """What the end was: that of a program that nobody asked to stop is its own doing."""
        if self.program.asked:
            return self.stopped(code)
        return ("failed", code, failure) if code else ("finished", 0, "")

    def stopped(self, code):
        """Our own order comes before the cloud's notice."""
        if self.watch.stop_reason:
            return self.watch.stop_reason, code, "stopped: " + self.watch.stop_reason
        return "interrupted", code, "the cloud takes the machine back"

    # while it runs ----------------------------------------------------------------------------------------------------

    def attend(self, command, found, name):
        """Runs a command to its end, minding notice and orders; its exit code. Raises GivenUp, NotStarted."""
        if self.watch.stop_reason or self.watch.notice:
            self.tell_notice()
            raise NotStarted
        try:
            self.program = Program(command, found, self.work, self.journal, self.snapshots.entries.cuts)
        except (OSError, ValueError) as problem:
            raise GivenUp("%s cannot be started: %s" % (name, problem), NOT_FOUND)
        while self.program.poll() is None:
            self.mind_notice()
            self.mind_orders()
            time.sleep(TICK)
        code = self.program.poll()
        self.mind_the_cut()  # before anything else: a save may be under way
        self.program.finish()
        self.mind_the_cut()
        return code

    def mind_the_cut(self):
        if self.program.cut_off:
            entries = self.snapshots.entries
            entries.torn_since = entries.torn_since or time.time() - TORN

    def mind_notice(self):
        if self.watch.notice is not None and not self.program.asked:
            self.tell_notice()
            self.program.ask_to_stop()

    def tell_notice(self):
        """To the program, by a file that appears whole, and to the world."""
        if self.watch.notice is None or self.announced:
            return
        self.announced = True
        self.snapshots.pruning = False
        ends_at = self.watch.notice["ends_at"]
        told = {"at": times.written(self.watch.notice["at"]), "ends_at": times.written(ends_at) if ends_at else None}
        with contextlib.suppress(OSError):  # a full disk keeps nobody from saving to the store
            with open(self.interruption_file + ".new", "w") as out:
                json.dump(told, out)
            os.replace(self.interruption_file + ".new", self.interruption_file)
        self.journal.say("the cloud takes the machine back at %s" % (told["ends_at"] or "a time that it does not say"))
        self.report.note(notice=told, phase="save")

    def mind_orders(self):
        if self.watch.stop_reason and self.kill_at is None:
            self.journal.say("asked to stop: %s" % self.watch.stop_reason)
            self.report.note(phase="save")
            self.kill_at = time.monotonic() + self.task["stop_grace_seconds"]
            self.program.ask_to_stop()
        if self.kill_at is not None and time.monotonic() > self.kill_at:
            self.program.kill()

    def background(self, work, *arguments):
        """A thread whose failure is the machine's: it says why and goes home."""

        def guarded():
            try:
                work(*arguments)
            except Exception:  # noqa: BLE001 - whatever it is, the machine must not stay
                crash(self.journal)

        threading.Thread(target=guarded, daemon=True).start()

    def beat(self):
        """Heartbeat and orders, until the end."""
        while not self.over.is_set():
            known = self.news()
            self.mind_advice()
            self.tell()
            self.watch.heed_orders()
            self.pulse.beat(self.report.phase, self.report.devices)
            self.wait_for_news(known, self.task["heartbeat_every_seconds"])

    def mind_advice(self):
        """That the machine is at risk is told once; what there is by then is saved at once by `save_on`."""
        if self.watch.rebalance_at and not self.advised:
            self.advised = True
            self.report.note(rebalance_at=times.written(self.watch.rebalance_at))
            if self.watch.notice is None:  # which says more
                self.journal.say("the cloud expects to take the machine back soon: what there is is saved now")

    def wait_for_news(self, known, seconds):
        """That long, or until the cloud gives a notice or advice that was not known."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.news() == known and not self.over.wait(TICK):
            continue

    def news(self):
        return self.watch.notice, self.watch.rebalance_at

    def tell(self):
        try:
            self.report.write(self.journal.size)
        except (Unreachable, Denied, Missing) as problem:
            print("[accelctl] cannot report yet:", problem, flush=True)

    def save_on(self):
        """Every so often, and at once when the cloud gives advice; without pause once the end is announced."""
        known = None, None
        while not self.over.is_set():
            hurry = self.watch.notice is not None or self.kill_at is not None
            if not hurry:
                self.wait_for_news(known, self.task["checkpoint_every_seconds"])
            known = self.news()  # what comes while this one is sent calls for another
            self.save(hurry=self.watch.notice is not None or self.kill_at is not None)
            self.over.wait(TICK)

    def save(self, at_rest=False, hurry=False):
        """One snapshot; why the store does not have it, empty where it does (or there was nothing to take)."""
        with self.saving:
            try:
                manifest = self.snapshots.take(at_rest, hurry)
            except (Unreachable, Denied, Missing) as problem:
                return self.troubled(str(problem))
            except Superseded as problem:
                print("[accelctl] not saved:", problem, flush=True)
                return ""
        while self.snapshots.entries.restless.news:
            self.journal.say(self.snapshots.entries.restless.news.pop(0))
        if manifest:
            self.report.checkpoint("checkpoint", manifest)
            self.tidy(self.snapshots.prune)
        return self.troubled("")

    def troubled(self, problem):
        """Told to who follows the output, once, and once it is over."""
        if problem != self.trouble:
            self.journal.say("cannot save, and tries again: %s" % problem if problem else "what could not be saved is")
        self.trouble = problem
        return problem

    def tidy(self, prune):
        """What no kept checkpoint names goes; that it does not must not hold up anything."""
        try:
            with self.saving:
                prune()
        except (Unreachable, Denied, Missing) as problem:
            print("[accelctl] cannot tidy up yet:", problem, flush=True)

    # the end ----------------------------------------------------------------------------------------------------------

    def end(self, reason, code, message):
        """The last save, the last words, the report; then home, or the wait for the cloud to come."""
        self.report.note(phase="save")
        end = time.monotonic() + self.boarding["last_upload_seconds"]
        if reason != "interrupted" and self.snapshots:
            nobodys = Cuts()  # of a finished program's log, the last line may be half: nobody resumes from it
            end_all(
                started_for(self.interruption_file), nobodys if reason == "finished" else self.snapshots.entries.cuts
            )
        lost = self.save_the_last(end, wholly=reason != "interrupted")
        if self.snapshots and self.snapshots.entries.torn:
            torn = ", ".join(self.snapshots.entries.torn)
            self.journal.say("cut off while it was written, so the version before stays: %s" % torn)
        if lost:
            lost = "what was saved last is not in the store: %s" % lost
            reason, message = ("failed" if reason == "finished" else reason), "; ".join(filter(None, (message, lost)))
        if reason == "finished":
            self.tidy(self.snapshots.keep_the_newest)
            self.journal.say("finished")
        elif message:
            self.journal.say(message)
        self.journal.ship_rest(max(1.0, end - time.monotonic()))
        self.report.note(phase="ended", ended=ended(reason, code, message, self.journal.last_lines()))
        self.insist(end)
        if reason == "interrupted":
            self.linger()
        self.over.set()
        self.pulse.end()

    def save_the_last(self, end, wholly):
        """Why the store does not have it. `wholly`: what does not hold still is taken piece by piece, and told."""
        soon = min(end, time.monotonic() + UNREADABLE)
        while self.snapshots:
            problem = self.save(at_rest=True)
            unsent = self.snapshots.unsent if wholly else []
            if not (problem or unsent) or time.monotonic() > (end if problem else soon):
                if unsent and not problem:
                    self.journal.say("not saved, since it cannot be read whole: %s" % ", ".join(unsent))
                return problem
            self.snapshots.entries.restless.open(unsent)
            time.sleep(1)
        return ""

    def insist(self, end):
        """The report of the end, within a bound."""
        while True:
            try:
                return self.report.write(self.journal.size)
            except (Unreachable, Denied, Missing):
                if time.monotonic() > end:
                    return None
                time.sleep(1)

    def linger(self):
        """Saves what still changes until the cloud comes; goes home when it does not."""
        ends_at = (self.watch.notice or {}).get("ends_at") or time.time() + 120
        while time.time() < ends_at + AFTER_THE_END and not self.watch.stop_reason:
            self.save(at_rest=True)
            time.sleep(0.5)


def main():
    agent = None
    give_memory_back()
    try:
        with open(sys.argv[1]) as file:
            agent = Agent(json.load(file))
        agent.run()
    except Exception:  # noqa: BLE001 - whatever it is, the machine must not stay
        crash(agent.journal if agent else None)
    go_home()
