/* What the store, the listener and the lanes promise each other, for one chat: no reply is sent twice, no message is lost.
 *
 * The marketplace tells of messages, and again where it got no answer (or a poll finds what it told in vain). The listener
 * stores before it answers. Processes claim the chat, take its messages, queue a reply to each, and send: a row of the
 * outbox is latched by a commit before its request leaves; what became of a request is not always told; a row of which
 * nobody knows is read back from the chat. Processes die at any moment and begin anew; one whose lease has run out while
 * it was stopped goes on later as if nothing had been. A person may type, which withdraws what is queued.
 *
 * One step of a process that the others can see is one commit, or one thing that happens at the marketplace. Left out: the
 * order of replies, what is certain to have failed (it is queued again, as what was read back is), the echo of one's own
 * messages (it tells early what reading back tells late), and that rows are deleted when they are old.
 *
 * The assumption: a request is applied within the settling time, counted from the commit that latched its row, or never.
 * Reading back may take "it is not in the chat" for "it was not sent" only after that. A process that is stopped between
 * that commit and its request, for longer than the settling time, breaks it, and so does a marketplace that is as late:
 * then a reply is sent twice (SHORT_SETTLING), and nothing that a client can do prevents it, for sends have no key.
 *
 * model_spec.lua checks it, and that it finds out when a guard is missing: each of these takes one out.
 *   NO_LATCH         the row is latched only with the outcome, not before the request leaves
 *   NO_READ_BACK     what is unknown is sent again without a look into the chat
 *   LATE_CLOCK       the clock is looked at after the chat was read, not before
 *   SHORT_SETTLING   "it is not in the chat" is believed at once: breaks the assumption
 *   NO_FENCE         a commit does not ask whether the claim is still the latest
 *   NO_RECOVERY      who claims the chat leaves a latched row as it is
 *   NO_SWEEP         the chats of a process that died stay its own
 *   ACK_FIRST        the listener answers before it stores
 *   NO_KEY           a message that is told again is taken again
 *   NO_WITHDRAWAL    what was under way when a person typed is sent again
 */

#ifndef MESSAGES
#define MESSAGES 2
#endif
#ifndef CRASHES
#define CRASHES 1 /* of processes */
#endif
#ifndef STOPS
#define STOPS 1 /* leases that run out while their process lives */
#endif
#ifndef LOSSES
#define LOSSES 1 /* requests that are not applied, and answers to the marketplace that do not arrive */
#endif
#ifndef REPEATS
#define REPEATS 1 /* messages that are told again although they were answered */
#endif

#define PROCESSES 2
#define PERSON    MESSAGES /* what a person types is told like a message, under the number after the last */
#define NOBODY    PROCESSES
#define GONE      (PROCESSES + 1) /* a process that died: only sweeping takes the chat from it */
#define BIT(m)    (1 << (m))

mtype = { none, queued, latched, unknown, confirmed, withdrawn };

/* What the store keeps. */
byte known;                /* bits of the messages whose key is in the inbox */
byte waiting;              /* those not taken */
mtype row[MESSAGES] = none; /* the reply to each */
bool silent;               /* a person has typed */
byte owner = NOBODY;
bool fenced[PROCESSES];    /* a later claim than this process's was made: its fence is less than the chat's */

/* What can be told from that, kept here because a guard has no loops. */
byte open;  /* replies that have not ended */
byte ended; /* and that have */

/* What the world knows. */
byte in_chat[MESSAGES];  /* how often the reply stands in the chat */
byte under_way[MESSAGES]; /* requests that may still be applied */
byte leaving[PROCESSES] = MESSAGES; /* the row a process has latched and whose request it is about to send */
bool dying[PROCESSES];
byte crashes, stops, losses, repeats;

#define lose(spent, most) spent < most -> spent++

/* Can no request for it be applied any more? That is what the settling time is for. */
#ifdef SHORT_SETTLING
#define settled(m) true
#else
#define settled(m) (under_way[m] == 0 && leaving[0] != m && leaving[1] != m)
#endif

#ifdef NO_SWEEP
#define SWEPT false
#else
#define SWEPT true
#endif

/* ---- the marketplace ---- */

/* A key that is known is passed over. The engine's own list of what was seen stands behind it: here they are one guard. */
inline store(m)
{
  d_step {
    if
    :: (known & BIT(m)) == 0 -> known = known | BIT(m); waiting = waiting | BIT(m)
    :: else ->
#ifdef NO_KEY
      waiting = waiting | BIT(m)
#else
      skip
#endif
    fi
  }
}

proctype Telling(byte m)
{
#ifdef ACK_FIRST
  if
  :: atomic { lose(losses, LOSSES) } /* answered, and died */
  :: store(m)
  fi;
#else
  do
  :: atomic { lose(losses, LOSSES) } /* it did not arrive, or the listener died before it stored it */
  :: store(m);
     if
     :: break
     :: atomic { lose(losses, LOSSES) } /* nobody answered */
     fi
  od;
#endif
end:
  atomic { lose(repeats, REPEATS) }
  store(m)
}

/* A request for reply m comes to the end of its way. */
proctype Way(byte m)
{
end:
  do
  :: atomic { under_way[m] > 0 -> under_way[m]--;
       if
       :: in_chat[m]++;
          assert(in_chat[m] == 1);        /* no reply is sent twice */
          assert(row[m] != withdrawn)     /* nor after it was taken back */
       :: lose(losses, LOSSES)
       fi }
  od
}

/* ---- a process ---- */

/* All of the record or nothing, with the messages it took; refused, the lane forgets what it had. */
inline commit(took)
{
  if
#ifdef NO_FENCE
  :: true ->
#else
  :: !fenced[me] ->
#endif
     d_step {
       waiting = waiting & ~(took); silent = mine_silent; open = 0; ended = 0; i = 0;
       do
       :: i < MESSAGES ->
          row[i] = mine[i];
          assert(row[i] != confirmed || in_chat[i] == 1);
          assert(row[i] != withdrawn || in_chat[i] == 0);
          assert(row[i] != queued || !silent); /* nobody speaks over a person */
          if
          :: row[i] == confirmed || row[i] == withdrawn -> ended++
          :: row[i] == queued || row[i] == latched || row[i] == unknown -> open++
          :: else
          fi;
          i++
       :: else -> break
       od;
       i = 0
     }
  :: else -> goto idle
  fi
}

/* The chat is nobody's, or its owner's lock is free (it died), or its owner's lease has run out. */
inline claim()
{
  (waiting != 0 || open > 0) && owner != me &&
  (owner == NOBODY || (owner == GONE && SWEPT) || (owner < NOBODY && stops < STOPS));
  d_step {
    if
    :: owner < NOBODY -> stops++
    :: else
    fi;
    fenced[1 - me] = true; fenced[me] = false; owner = me;
    mine_silent = silent;
    do
    :: i < MESSAGES ->
       mine[i] = row[i];
#ifndef NO_RECOVERY
       if
       :: mine[i] == latched -> mine[i] = unknown
       :: else
       fi;
#endif
       i++
    :: else -> break
    od;
    i = 0
  }
}

inline take_first()
{
  d_step {
    m = 0;
    do
    :: (waiting & BIT(m)) == 0 -> m++
    :: else -> break
    od;
    if
    :: m < PERSON && mine_silent -> mine[m] = withdrawn
    :: m < PERSON && !mine_silent -> mine[m] = queued
    :: else ->
       mine_silent = true;
       do
       :: i < MESSAGES ->
          if
          :: mine[i] == queued -> mine[i] = withdrawn
          :: else
          fi;
          i++
       :: else -> break
       od;
       i = 0
    fi
  }
}

/* What is under way, else the first that is queued. */
inline find_head()
{
  d_step {
    m = 0;
    do
    :: m < MESSAGES && mine[m] != latched && mine[m] != unknown -> m++
    :: else -> break
    od;
    if
    :: m == MESSAGES ->
       m = 0;
       do
       :: m < MESSAGES && mine[m] != queued -> m++
       :: else -> break
       od
    :: else
    fi;
    skip
  }
}

inline not_there()
{
#ifdef NO_WITHDRAWAL
  mine[m] = queued
#else
  if
  :: mine_silent -> mine[m] = withdrawn
  :: else -> mine[m] = queued
  fi
#endif
}

proctype Process(byte me)
{
  mtype mine[MESSAGES] = none; /* the record as the lane has it */
  bool mine_silent;
#ifdef LATE_CLOCK
  bool found;
#endif
  byte m, i;
idle:
  {
    d_step {
      m = 0; i = 0; mine_silent = false;
      do
      :: i < MESSAGES -> mine[i] = none; i++
      :: else -> break
      od;
      i = 0
    }
end:
    atomic { claim() }
step:
    atomic {
      if
      :: waiting != 0 -> take_first(); commit(BIT(m)); m = 0; goto step
      :: else -> find_head()
      fi;
      if
      :: m == MESSAGES -> /* nothing to do: the chat is given back */
         if
         :: !fenced[me] -> owner = NOBODY
         :: else
         fi;
         goto idle
      :: m < MESSAGES && mine[m] == queued ->
         mine[m] = latched;
#ifndef NO_LATCH
         commit(0);
         leaving[me] = m
#endif
      :: m < MESSAGES && mine[m] == unknown -> goto look
      fi
    }
    atomic { leaving[me] = MESSAGES; under_way[m]++ }
    atomic {
      if
      :: in_chat[m] > 0 -> mine[m] = confirmed
      :: mine[m] = unknown /* nobody answered in time */
      fi;
      commit(0);
      m = 0;
      goto step
    }
look:
#ifdef LATE_CLOCK
    found = in_chat[m] > 0;
    atomic {
      if
      :: found -> mine[m] = confirmed
      :: !found && settled(m) -> not_there()
#else
    atomic {
      if
#ifdef NO_READ_BACK
      :: true -> not_there()
#else
      :: in_chat[m] > 0 -> mine[m] = confirmed
      :: settled(m) && in_chat[m] == 0 -> not_there()
#endif
#endif
      :: waiting != 0
      fi;
      commit(0);
      m = 0;
      goto step
    }
  } unless {
    atomic {
      dying[me] -> dying[me] = false; leaving[me] = MESSAGES;
      if
      :: owner == me -> owner = GONE
      :: else
      fi
    }
  }
  goto idle
}

/* Whoever it hits dies before its next step. */
proctype Fate()
{
end:
  do
  :: atomic { lose(crashes, CRASHES) ->
       if
       :: dying[0] = true
       :: dying[1] = true
       fi }
  od
}

init
{
  atomic {
    byte n = 0;
    do
    :: n < MESSAGES -> run Telling(n); run Way(n); n++
    :: else -> break
    od;
#ifndef NO_PERSON
    run Telling(PERSON);
#endif
    run Fate();
    run Process(0);
    run Process(1)
  }
}

/* Nothing is lost: each message gets its end. That is said of a world in which whatever can happen does at last: also the
 * crashes and what a person types, be it after the end. */
ltl every_message_ends { <> (ended == MESSAGES) }
