"""The resources that Graph documents change notifications for.

After "subscription resource type" (lifetimes, change types) and "Set up notifications for changes
in resource data" (paths).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

_TABLE = """
Message           10080  me/messages me/messages/{} me/mailFolders/{}/messages
Event             10080  me/events me/events/{} me/calendar/events me/calendars/{}/events
Contact           10080  me/contacts me/contacts/{} me/contactFolders/{}/contacts
DriveItem         42300  me/drive/root drives/{}/root drives/{}/items/{} sites/{}/drive/root
DriveItem         42300  groups/{}/drive/root me/drive/items/{} me/drives/{}/root
List              42300  sites/{}/lists/{}
Group             41760  groups groups/{} groups/{}/members groups/{}/owners
User              41760  users users/{}
Conversation       4230  groups/{}/conversations groups/{}/conversations/{}
Alert             43200  security/alerts security/alerts/{} security/alerts_v2
CallRecord         4230  communications/callRecords
CallRecording      4320  communications/onlineMeetings/getAllRecordings
CallRecording      4320  communications/onlineMeetings/{}/recordings
CallRecording      4320  me/onlineMeetings/getAllRecordings
CallTranscript     4320  communications/onlineMeetings/getAllTranscripts
CallTranscript     4320  communications/onlineMeetings/{}/transcripts
CallTranscript     4320  me/onlineMeetings/getAllTranscripts
OnlineMeeting      4230  communications/onlineMeetings communications/onlineMeetings/{}
Presence             60  communications/presences communications/presences/{}
Chat               4320  chats chats/{} appCatalogs/teamsApps/{}/installedToChats
ChatMessage        4320  chats/{}/messages teams/{}/channels/{}/messages
ChatMessage        4320  chats/getAllMessages teams/getAllMessages me/chats/getAllMessages
ChatMessage        4320  chats/{}/messages/{} teams/{}/channels/{}/messages/{}
ChatMessage        4320  appCatalogs/teamsApps/{}/installedToChats/getAllMessages
Channel            4320  teams/getAllChannels teams/{}/channels
ConversationMember 4320  teams/{}/members teams/getAllMembers teams/{}/channels/getAllMembers
ConversationMember 4320  chats/{}/members chats/getAllMembers
ConversationMember 4320  appCatalogs/teamsApps/{}/installedToChats/getAllMembers
Team               4320  teams teams/{}
Printer            4230  print/printers/{}/jobs
PrintTaskDefinition 4230 print/taskDefinitions/{}/tasks print/printtaskdefinition/{}/tasks
TodoTask           4230  me/todo/lists/{}/tasks
Shift               360  teams/{}/schedule/shifts
OfferShiftRequest   360  teams/{}/schedule/offerShiftRequests
OpenShiftChangeRequest 360  teams/{}/schedule/openShiftChangeRequests
SwapShiftsChangeRequest 360 teams/{}/schedule/swapShiftsChangeRequests
TimeOffRequest      360  teams/{}/schedule/timeOffRequests
ApprovalItem      43200  solutions/approval/approvalItems
TeamsAppInstallation 4320 teams/{}/installedApps chats/{}/installedApps me/teamwork/installedApps
"""
_OUTLOOK = frozenset({"Message", "Event", "Contact"})
_RICH_OUTLOOK = 1440
_TEAMS = frozenset(
    {
        *("Chat", "ChatMessage", "Channel", "ConversationMember", "Team"),
        *("CallRecording", "CallTranscript", "TeamsAppInstallation"),
    }
)
_CHANGES = {
    "DriveItem": ("updated",),
    "List": ("updated",),
    "User": ("updated", "deleted"),
    "Group": ("updated", "deleted"),
}
_RICH = _OUTLOOK | frozenset(
    {
        *("Chat", "ChatMessage", "Channel", "ConversationMember", "Team", "OnlineMeeting"),
        *("CallRecording", "CallTranscript", "Presence", "TeamsAppInstallation"),
    }
)
LIFECYCLE = ("reauthorizationRequired", "subscriptionRemoved", "missed")
CHANGES = ("created", "updated", "deleted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What is subscribed to.

    Attributes:
        name: The type, as `@odata.type` of a notification has it after `#Microsoft.Graph.`.
        minutes: The longest lifetime of a subscription.
    """

    name: str
    minutes: int

    @property
    def changes(self) -> tuple[str, ...]:
        """The change types that can be subscribed to."""
        return _CHANGES.get(self.name, CHANGES)

    def told_as(self, change_type: str) -> str:
        """Return what a change is notified as: a new user or group is `updated`."""
        return change_type if change_type in self.changes else "updated"

    @property
    def needs_lifecycle(self) -> bool:
        """Whether a subscription of more than an hour must take lifecycle notifications."""
        return self.name in _TEAMS

    @property
    def can_be_rich(self) -> bool:
        """Whether notifications may hold the resource's data."""
        return self.name in _RICH

    @property
    def lifecycle(self) -> tuple[str, ...]:
        """The lifecycle events that are documented for it."""
        if self.name in _OUTLOOK:
            return LIFECYCLE
        return LIFECYCLE[:2] if self.name == "ChatMessage" else LIFECYCLE[:1]

    @property
    def whole_tree(self) -> bool:
        """Whether all below the resource counts, and not its items alone."""
        return self.name in {"DriveItem", "List"}

    def longest(self, *, rich: bool) -> int:
        """Return the longest lifetime in minutes; `rich` ones hold the resource's data."""
        return _RICH_OUTLOOK if rich and self.name in _OUTLOOK else self.minutes


OTHER = Kind(name="Entity", minutes=4230)
"""A resource that isn't on the list; the lifetime is the one that most on it have at least."""


def kind_of(segments: tuple[str, ...]) -> Kind | None:
    """Return what a resource is; None where Graph documents no notifications for it.

    Args:
        segments: Of its path, lower case, keys apart.
    """
    return next((kind for template, kind in _templates() if _fits(template, segments)), None)


@cache
def _templates() -> tuple[tuple[tuple[str, ...], Kind], ...]:
    found: list[tuple[tuple[str, ...], Kind]] = []
    for line in _TABLE.strip().splitlines():
        name, minutes, *paths = line.split()
        kind = Kind(name=name, minutes=int(minutes))
        for path in paths:
            segments = tuple(path.lower().split("/"))
            found.append((segments, kind))
            if segments[0] == "me":
                found.append((("users", "{}", *segments[1:]), kind))
    # Names before variables: `chats/getAllMessages` is no chat.
    found.sort(key=lambda each: each[0].count("{}"))
    return tuple(found)


def _fits(template: tuple[str, ...], segments: tuple[str, ...]) -> bool:
    if len(template) != len(segments):
        return False
    return all(a in ("{}", b) for a, b in zip(template, segments, strict=True))
